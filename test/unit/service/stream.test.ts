import { Writable } from 'node:stream'
import test from 'ava'
import type { Bytes } from '../../../src/base/bytes.ts'
import { Pump, type ByteStream } from '../../../src/service/stream.ts'

/** A connection of the test's own: what the peer sent, and room for what it takes. */
class Peer implements ByteStream {
	incomingEnd: ByteStream['incomingEnd'] = 'open'
	peekBytes: Bytes = new Uint8Array(0)
	peekAt = 0
	room = 1 << 20
	readonly got: number[] = []
	ended: 'success' | 'failure' | undefined
	discarding = false
	touched = 0
	#end: ByteStream['incomingEnd'] = 'open'

	send(...bytes: number[]): void {
		this.peekBytes = Uint8Array.from([...this.peekBytes.subarray(this.peekAt), ...bytes])
		this.peekAt = 0
	}

	finish(end: 'success' | 'failure'): void {
		this.#end = end
		this.#settle()
	}

	get readable(): number {
		return this.peekBytes.length - this.peekAt
	}

	/** In pieces of three. */
	get peekLength(): number {
		return Math.min(3, this.readable)
	}

	consume(n: number): void {
		this.peekAt += n
		this.#settle()
	}

	write(p: Bytes, at: number, n: number): number {
		const count = Math.min(n, this.room)
		this.got.push(...p.subarray(at, at + count))
		this.room -= count
		return count
	}

	end(): void {
		this.ended ??= 'success'
	}

	fail(): void {
		this.ended ??= 'failure'
	}

	discardIncoming(): void {
		this.discarding = true
		this.consume(this.readable)
	}

	#settle(): void {
		if (this.readable === 0) this.incomingEnd = this.#end
	}
}

/** A program's input that takes a write only when the test says so. */
class Program extends Writable {
	readonly taken: number[] = []
	#taken: (() => void) | undefined

	override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
		this.#taken = () => {
			this.taken.push(...chunk)
			done()
		}
	}

	get waits(): boolean {
		return this.#taken !== undefined
	}

	take(): void {
		const taken = this.#taken!
		this.#taken = undefined
		taken()
	}
}

interface Scene {
	readonly peer: Peer
	readonly pump: Pump
	readonly program: Program
	readonly source: { paused: boolean }
	failed(): boolean
}

function make(): Scene {
	const peer = new Peer()
	let failed = false
	const pump = new Pump({
		stream: peer,
		clock: () => 0,
		touch: () => {
			peer.touched++
		},
		peerFailed: () => {
			failed = true
		},
	})
	const source = { paused: false }
	const program = new Program()
	pump.open({
		pause: () => {
			source.paused = true
		},
		resume: () => {
			source.paused = false
		},
	}, program)
	return { peer, pump, program, source, failed: () => failed }
}

test('bytes stay in the ring until the program has them, and its end follows them', async (t) => {
	const { peer, pump, program } = make()
	let finished = false
	program.on('finish', () => {
		finished = true
	})
	peer.send(1, 2, 3, 4, 5)
	peer.finish('success')
	pump.advance(0)
	t.is(peer.readable, 5)
	t.true(program.waits)
	program.take()
	await new Promise(setImmediate)
	t.is(peer.readable, 2)
	t.false(finished)
	program.take()
	await new Promise(setImmediate)
	t.deepEqual(program.taken, [1, 2, 3, 4, 5])
	t.is(peer.readable, 0)
	t.true(finished)
})

test('the peer\'s failure is told after all that came before', async (t) => {
	const { peer, pump, program, failed } = make()
	peer.send(1)
	peer.finish('failure')
	pump.advance(0)
	t.false(failed())
	program.take()
	await new Promise(setImmediate)
	t.true(failed())
	t.false(program.writableEnded)
})

for (const borrowed of [true, false]) {
	test(`what finds no room waits, ${borrowed ? 'copied' : 'kept'}, and so does its end`, (t) => {
		const { peer, pump, source } = make()
		peer.room = 2
		const chunk = Uint8Array.of(1, 2, 3, 4, 5)
		t.false(pump.take(chunk, 5, borrowed))
		if (borrowed) chunk.fill(9)
		t.true(pump.paused)
		pump.finish('success')
		t.is(peer.ended, undefined)
		peer.room = 1
		pump.advance(0)
		t.deepEqual(peer.got, [1, 2, 3])
		t.is(peer.ended, undefined)
		peer.room = 10
		source.paused = true
		pump.advance(0)
		t.deepEqual(peer.got, [1, 2, 3, 4, 5])
		t.is(peer.ended, 'success')
		t.false(pump.paused)
	})
}

test('a paused source goes on when its peer has taken all', (t) => {
	const { peer, pump, source } = make()
	peer.room = 0
	source.paused = !pump.take(Uint8Array.of(1), 1, true)
	t.true(source.paused)
	pump.advance(0)
	t.true(source.paused)
	peer.room = 1
	pump.advance(0)
	t.false(source.paused)
	t.true(pump.take(Uint8Array.of(2), 0, true))
})

test('the last words of a program that fails are still said', (t) => {
	const { peer, pump } = make()
	peer.room = 0
	pump.take(Uint8Array.of(1), 1, false)
	pump.finish('failure')
	pump.finish('success')
	t.is(peer.ended, undefined)
	peer.room = 9
	pump.advance(0)
	t.deepEqual(peer.got, [1])
	t.is(peer.ended, 'failure')
})

test('a deaf program\'s input is destroyed before the ring is given back', (t) => {
	const { peer, pump, program } = make()
	peer.send(1, 2, 3, 4)
	pump.advance(0)
	pump.deaf()
	t.true(program.destroyed)
	t.true(peer.discarding)
	peer.send(5)
	pump.advance(0)
	t.is(peer.ended, undefined)
	pump.take(Uint8Array.of(7), 1, true)
	t.deepEqual(peer.got, [7])
})

test('after close nothing of the stream is used', async (t) => {
	const { peer, pump, program } = make()
	peer.send(1)
	pump.advance(0)
	pump.close()
	const { touched } = peer
	program.take()
	await new Promise(setImmediate)
	t.true(pump.take(Uint8Array.of(1), 1, true))
	pump.finish('failure')
	pump.deaf()
	pump.advance(0)
	t.is(peer.readable, 1)
	t.deepEqual(peer.got, [])
	t.is(peer.ended, undefined)
	t.is(peer.touched, touched)
})
