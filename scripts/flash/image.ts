// An image as `make image` leaves it: a file, and image.json beside it that says what it is. It is
// checked whole before a target is opened.

import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { causeOf, codeOf } from '../../src/platform/trouble.ts'
import { Refusal } from './exit.ts'

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const schema = v.object({
	board: v.string(),
	version: v.string(),
	/** The file's name, in the same folder. */
	image: v.pipe(v.string(), v.regex(/^[^/]+$/)),
	bytes: whole,
	sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
	partitions: v.array(v.object({
		number: v.optional(whole), name: v.string(), start: whole, bytes: whole,
	})),
})

export type ImageFacts = v.InferOutput<typeof schema>

export interface Image extends ImageFacts {
	readonly path: string
}

export const BLOCK_BYTES = 4 << 20

/** file: image.json. Throws Refusal. */
export function readImage(file: string, board: string): Image {
	let value: unknown
	try {
		value = JSON.parse(readFileSync(file, 'utf8'))
	} catch (error) {
		const isAbsent = codeOf(error) === 'ENOENT'
		throw new Refusal('image', `unable to read ${file}: ${causeOf(error)}`
			+ (isAbsent ? `; cure: make image BOARD=${board}` : ''))
	}
	const result = v.safeParse(schema, value)
	if (!result.success) {
		const [issue] = result.issues
		throw new Refusal('image', `${file}: ${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`)
	}
	if (result.output.board !== board) {
		throw new Refusal('image', `${file} is for the board ${result.output.board}, not ${board}`)
	}
	return { ...result.output, path: join(dirname(file), result.output.image) }
}

/** Reads every byte; throws Refusal. */
export function checkImage(image: Image, progress: (bytes: number) => void): void {
	const hash = createHash('sha256')
	readPieces(image, (piece, at) => {
		hash.update(piece)
		progress(at + piece.length)
	})
	const found = hash.digest('hex')
	if (found !== image.sha256) {
		throw new Refusal('image', `${image.path} is damaged: its SHA-256 is ${found}, `
			+ `image.json says ${image.sha256}; cure: make image BOARD=${image.board}`)
	}
}

function readPieces(image: Image, take: (piece: Uint8Array, at: number) => void): void {
	const source = new ImageSource(image)
	const block = new Uint8Array(BLOCK_BYTES)
	try {
		for (let at = 0; at < image.bytes; at += BLOCK_BYTES) take(source.read(at, block), at)
	} finally {
		source.close()
	}
}

/** The image's bytes at any place. */
export class ImageSource {
	readonly bytes: number
	readonly #path: string
	readonly #fd: number

	constructor({ path, bytes }: Image) {
		this.#path = path
		this.bytes = bytes
		try {
			this.#fd = openSync(path, 'r')
		} catch (error) {
			throw new Refusal('image', `unable to read ${path}: ${causeOf(error)}`)
		}
		const { size } = fstatSync(this.#fd)
		if (size === bytes) return
		this.close()
		throw new Refusal('image', `${path} has ${size} bytes, image.json says ${bytes}`)
	}

	/** As much of block as the image has there. */
	read(at: number, block: Uint8Array): Uint8Array {
		const n = Math.min(block.length, this.bytes - at)
		for (let done = 0, more = 0; done < n; done += more) {
			more = readSync(this.#fd, block, done, n - done, at + done)
			if (more === 0) throw new Refusal('image', `${this.#path} became shorter while it was read`)
		}
		return block.subarray(0, n)
	}

	close(): void {
		closeSync(this.#fd)
	}
}
