// The keys of sealed extensions: a folder with one file of 32 bytes for each epoch that is valid,
// named by its number, and `current` with the number of the one that new extensions are made with.

import { randomFillSync } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bytes } from '../base/bytes.ts'
import { EPOCHS, SEAL_KEY_BYTES, type SealKeys } from '../gateway/sealed.ts'
import { codeOf, Trouble, troubleOf } from './trouble.ts'

const CURRENT = 'current'

/** Makes the folder, which must not exist, with the key of epoch 0. */
export function createSealKeys(dir: string): void {
	try {
		mkdirSync(dir, { mode: 0o700 })
		writeKey(dir, 0)
	} catch (error) {
		const taken = codeOf(error) === 'EEXIST'
		throw taken ? new Trouble('create', dir, 'it exists already', 'EEXIST')
			: troubleOf('create', dir, error)
	}
}

/** A fresh key becomes current; the one before stays valid, older ones go. Returns the epoch. */
export function rotateSealKeys(dir: string): number {
	const before = readSealKeys(dir)
	const epoch = (before.current + 1) % EPOCHS
	try {
		writeKey(dir, epoch)
		for (let old = 0; old < EPOCHS; old++) {
			if (old !== epoch && old !== before.current) rmSync(join(dir, String(old)), { force: true })
		}
	} catch (error) {
		throw troubleOf('rotate keys in', dir, error)
	}
	return epoch
}

/** Only the current key stays valid. Returns the epochs that are no more. */
export function revokeSealKeys(dir: string): number[] {
	const { keys, current } = readSealKeys(dir)
	const gone = keys.flatMap((key, epoch) => key === undefined || epoch === current ? [] : [epoch])
	try {
		for (const epoch of gone) rmSync(join(dir, String(epoch)))
	} catch (error) {
		throw troubleOf('revoke keys in', dir, error)
	}
	return gone
}

export function readSealKeys(dir: string): SealKeys {
	let names: string[]
	let current: number
	try {
		names = readdirSync(dir)
		current = Number(readFileSync(join(dir, CURRENT), 'utf8').trim())
	} catch (error) {
		throw troubleOf('read', dir, error)
	}
	const keys = Array.from({ length: EPOCHS }, (_, epoch): Bytes | undefined =>
		names.includes(String(epoch)) ? readKey(join(dir, String(epoch))) : undefined)
	if (keys[current] === undefined) throw new Trouble('read', dir,
		`no key of the current epoch ${current}`)
	return { keys, current }
}

function readKey(path: string): Bytes {
	let bytes: Buffer
	try {
		bytes = readFileSync(path)
	} catch (error) {
		throw troubleOf('read', path, error)
	}
	if (bytes.length !== SEAL_KEY_BYTES) {
		throw new Trouble('read', path, `${bytes.length} bytes, not ${SEAL_KEY_BYTES}`)
	}
	return Uint8Array.from(bytes)
}

/** The key is on the disk before anything says that it is current. */
function writeKey(dir: string, epoch: number): void {
	const key = randomFillSync(new Uint8Array(SEAL_KEY_BYTES))
	replace(join(dir, String(epoch)), key)
	key.fill(0)
	replace(join(dir, CURRENT), `${epoch}\n`)
}

function replace(path: string, content: Bytes | string): void {
	const unfinished = `${path}.${process.pid}`
	writeFileSync(unfinished, content, { mode: 0o600, flush: true })
	renameSync(unfinished, path)
}
