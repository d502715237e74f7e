// Whether a target may be overwritten: facts and wishes in, a refusal out. Pure.

import type { Target } from './device.ts'
import { Refusal } from './exit.ts'

export interface Wishes {
	/** A fixed disk is meant. */
	readonly forceFixed: boolean
	/** So is one above LARGE_BYTES. */
	readonly large: boolean
}

/** No card for a small board is larger; somebody's photographs are. */
export const LARGE_BYTES = 256e9

/** The most telling reason first; undefined: it may be written. */
export function guard(target: Target, imageBytes: number, wishes: Wishes): Refusal | undefined {
	return wrongKind(target) ?? inUse(target) ?? wrongSize(target, imageBytes, wishes)
}

function wrongKind({ kind, path, name }: Target): Refusal | undefined {
	switch (kind) {
		case 'file':
		case 'disk': return undefined
		case 'partition': return new Refusal('not-a-disk',
			`${path} is a partition; give the whole disk, ${path.replace(/p?\d+$/, '')}`)
		case 'mapped': return new Refusal('not-a-disk',
			`${path} (${name}) is made of memory or other devices; give a whole disk`)
		case 'other': return new Refusal('not-a-disk', `${path} is no disk and no plain file`)
	}
}

function inUse({ path, uses, system, readOnly }: Target): Refusal | undefined {
	if (system.length > 0) {
		return new Refusal('system-disk', `${path} holds the running system (${system.join(', ')})`)
	}
	if (uses.length > 0) {
		const list = uses.map(({ name, how }) => `${name} ${how}`).join(', ')
		const cure = uses.some(({ how }) => how.startsWith('mounted')) ? '; cure: umount it' : ''
		return new Refusal('in-use', `${path} is in use: ${list}${cure}`)
	}
	return readOnly ? new Refusal('read-only', `${path} is write-protected`) : undefined
}

function wrongSize(
	{ path, kind, bytes, removable, bus }: Target, imageBytes: number, wishes: Wishes,
): Refusal | undefined {
	if (!removable && !wishes.forceFixed) {
		return new Refusal('not-removable',
			`${path} is a fixed disk (${bus}); when it is meant: --force-fixed`)
	}
	const grows = kind === 'file' && bytes === 0
	if (!grows && bytes < imageBytes) {
		return new Refusal('too-small', `${path} has ${bytes} bytes, the image ${imageBytes}`)
	}
	if (bytes > LARGE_BYTES && !wishes.large) {
		return new Refusal('too-large',
			`${path} has ${Math.round(bytes / 1e9)} GB, more than a card; when it is meant: --large`)
	}
	return undefined
}
