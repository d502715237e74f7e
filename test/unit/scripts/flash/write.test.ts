// Writing and comparing, on media in memory that fail in every way a card does.

import { createHash } from 'node:crypto'
import test from 'ava'
import { Refusal } from '../../../../scripts/flash/exit.ts'
import { writeImage, type Medium, type Source } from '../../../../scripts/flash/write.ts'

const MIB = 1 << 20
const BYTES = 9 * MIB + 12_345

class Card implements Medium {
	readonly name = 'card'
	readonly bytes: number
	readonly content: Uint8Array
	readonly log: string[] = []
	/** Throws at the operation of this number. */
	failAt = Infinity
	/** A card that lies about its size keeps only so much, over and over. */
	real: number

	constructor(bytes: number, old = 0xa5) {
		this.bytes = bytes
		this.real = bytes
		this.content = new Uint8Array(bytes).fill(old)
	}

	write(p: Uint8Array, at: number): void {
		this.#step(`write ${at}+${p.length}`)
		for (let n = 0; n < p.length; n += this.real) {
			this.content.set(p.subarray(n, n + this.real), (at + n) % this.real)
		}
	}

	read(p: Uint8Array, at: number): number {
		const from = at % this.real
		p.set(this.content.subarray(from, from + p.length))
		return p.length
	}

	sync(): void {
		this.#step('sync')
	}

	dropCaches(): boolean {
		this.log.push('drop')
		return true
	}

	#step(what: string): void {
		if (this.log.push(what) - 1 >= this.failAt) throw new Error('EIO: i/o error')
	}
}

const image = new Uint8Array(BYTES).map((_, i) => (i * 7 + (i >> 8)) & 0xff || 1)
const HASH = createHash('sha256').update(image).digest('hex')

const source: Source = {
	bytes: BYTES,
	read(at, block) {
		const piece = image.subarray(at, at + block.length)
		block.set(piece)
		return block.subarray(0, piece.length)
	},
}

function flash(card: Card, from: Source = source, hash = HASH): Refusal | undefined {
	try {
		writeImage(from, card, hash, () => {})
		return undefined
	} catch (error) {
		if (error instanceof Refusal) return error
		throw error
	}
}

test('every byte arrives; the head is emptied first and written last', (t) => {
	const card = new Card(12 * MIB)
	const phases: [string, number][] = []
	const written = writeImage(source, card, HASH, (phase, bytes) => phases.push([phase, bytes]))
	t.deepEqual(written, { sha256: HASH, fromMedium: true })
	t.is(Buffer.compare(card.content.subarray(0, BYTES), image), 0)
	t.deepEqual(card.log, [
		`write ${12 * MIB - 4096}+4096`, `write 0+${MIB}`, 'sync',
		`write ${MIB}+${3 * MIB}`, `write ${4 * MIB}+${4 * MIB}`,
		`write ${8 * MIB}+${BYTES - 8 * MIB}`, 'sync', `write 0+${MIB}`, 'sync', 'drop',
		`write ${12 * MIB - 4096}+4096`, 'sync',
	])
	t.true(card.content.subarray(12 * MIB - 4096).every((byte) => byte === 0), 'the mark is gone')
	t.deepEqual(phases.filter(([, bytes]) => bytes === BYTES).map(([phase]) => phase),
		['write', 'compare'])
	const bytes = phases.filter(([phase]) => phase === 'write').map(([, n]) => n)
	t.deepEqual(bytes, bytes.toSorted((a, b) => a - b))
})

test('an image without room behind it, and one shorter than a head', (t) => {
	t.is(flash(new Card(BYTES)), undefined)
	const small: Source = {
		bytes: 1000, read: (at, block) => source.read(at, block.subarray(0, 1000)),
	}
	const hash = createHash('sha256').update(image.subarray(0, 1000)).digest('hex')
	t.is(flash(new Card(MIB), small, hash), undefined)
})

test('whatever write fails, the card has no old and no new partition table', (t) => {
	const whole = new Card(12 * MIB)
	flash(whole)
	const operations = whole.log.indexOf('drop')
	for (let n = 0; n < operations; n++) {
		const card = new Card(12 * MIB)
		card.failAt = n
		const refusal = flash(card)
		t.is(refusal?.cause, 'write', card.log[n])
		t.regex(refusal!.message, /^writing to card failed: EIO/)
		const head = card.content.subarray(0, MIB)
		const isOld = head.every((byte) => byte === 0xa5)
		const isEmpty = head.every((byte) => byte === 0)
		const isNew = n === operations - 1
		t.true(n < 2 ? isOld : isEmpty || isNew, `after ${card.log[n]}`)
	}
})

test('one flipped bit is found, with its place', (t) => {
	for (const at of [0, MIB - 1, MIB, 4 * MIB + 5, BYTES - 1]) {
		const card = new Card(12 * MIB)
		card.dropCaches = () => {
			card.content[at]! ^= 4
			return true
		}
		const refusal = flash(card)
		t.is(refusal?.cause, 'compare')
		t.regex(refusal!.message, new RegExp(`from byte ${at} on`))
	}
})

test('a card that is smaller than it says is found out', (t) => {
	const wraps = new Card(16 * MIB)
	wraps.real = 8 * MIB
	t.is(flash(wraps)?.cause, 'compare')
	const forgets = new Card(16 * MIB)
	const write = forgets.write.bind(forgets)
	forgets.write = (p, at) => at < 10 * MIB && write(p, at)
	t.regex(flash(forgets)!.message, /smaller than it says/)
})

test('an image that changes between the check and the writing never boots', (t) => {
	const card = new Card(12 * MIB)
	t.is(flash(card, source, '00'.repeat(32))?.cause, 'image')
	t.true(card.content.subarray(0, MIB).every((byte) => byte === 0))
})
