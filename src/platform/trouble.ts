// Trouble: the world does not let us (exit 111). Usage: what the user typed or wrote cannot be
// meant (exit 100). Both end as one line; input from the network is never either.

import { getSystemErrorMap } from 'node:util'

export const EXIT_DONE = 0
export const EXIT_USAGE = 100
export const EXIT_TROUBLE = 111

/** `new Trouble('bind', '0.0.0.0:53', 'address in use')`: unable to bind 0.0.0.0:53: address … */
export class Trouble extends Error {
	override readonly name = 'Trouble'
	readonly object: string
	/** The system's name for the cause (EADDRINUSE), when there is one. */
	readonly code: string | undefined

	constructor(action: string, object: string, cause: string, code?: string) {
		super(`unable to ${action} ${object}: ${cause}`)
		this.object = object
		this.code = code
	}
}

/** Where in a file or in an argument the mistake is; lines and columns count from 1. */
export interface Place {
	readonly file?: string
	readonly line?: number
	readonly column?: number
}

export class Usage extends Error {
	override readonly name = 'Usage'
	readonly place: Place

	constructor(message: string, place: Place = {}) {
		super(message)
		this.place = place
	}
}

/** Trouble from whatever the system threw. */
export function troubleOf(action: string, object: string, error: unknown): Trouble {
	if (error instanceof Trouble) return error
	return new Trouble(action, object, causeOf(error), codeOf(error))
}

export function codeOf(error: unknown): string | undefined {
	if (error instanceof Trouble) return error.code
	if (!(error instanceof Error) || !('code' in error)) return undefined
	return typeof error.code === 'string' ? error.code : undefined
}

/** The whole line: Trouble names its object too. */
export function messageOf(error: unknown): string {
	return error instanceof Trouble ? error.message : causeOf(error)
}

/** Words that help more than the system's own. */
const CAUSES: Readonly<Record<string, string>> = {
	EADDRINUSE: 'address in use by another program',
	EADDRNOTAVAIL: 'not an address of this machine',
	EAI_AGAIN: 'no answer from the name server',
	EISDIR: 'is a folder',
	ENOENT: 'no such file or folder',
	ENOTDIR: 'not a folder',
	ENOTEMPTY: 'folder not empty',
	ENOTFOUND: 'no such host name',
	EROFS: 'read-only file system',
}

export function causeOf(error: unknown): string {
	const code = codeOf(error)
	if (code === undefined) return error instanceof Error ? error.message : String(error)
	if (CAUSES[code] !== undefined) return CAUSES[code]
	for (const [name, words] of getSystemErrorMap().values()) if (name === code) return words
	return code
}
