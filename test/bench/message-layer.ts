// Two messengers in memory, back to back: what the message layer alone costs for each block.
// node build/out/test/bench/message-layer.js [MB]

import { PiecePool } from '../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'

const MB = Number(process.argv[2] ?? 1000)
const BATCH = 64
const CHUNK = 65536
const random = { fill: () => {} }
const started = process.hrtime.bigint()

function now(): number {
	return Number(process.hrtime.bigint() - started)
}

function make(): Messenger {
	return new Messenger({
		pieces: new PiecePool(16384, 2048),
		records: new PiecePool(RECORD_PIECE_BYTES, 2048),
		random,
		control: () => new Cubic(),
		sendBytes: 1 << 24,
		receiveBytes: 1 << 24,
	}, now())
}

/** Sends total bytes; returns nanoseconds spent at each side. */
function run(total: number): { sender: number, receiver: number, acks: number } {
	const a = make()
	const b = make()
	const chunk = new Uint8Array(CHUNK).fill(1)
	const slots = Array.from({ length: BATCH }, () => new Uint8Array(1200))
	const lengths = new Int32Array(BATCH)
	const spent = { sender: 0, receiver: 0, acks: 0 }
	let written = 0
	while (b.receivedBytes < total) {
		const t0 = now()
		while (written < total && a.writable >= CHUNK && a.pending < 1 << 20) {
			written += a.write(chunk, 0, CHUNK, t0)
		}
		let count = 0
		while (count < BATCH) {
			const n = a.transmit(slots[count]!, 64, 1088, t0)
			if (n === 0) break
			lengths[count++] = n
		}
		const t1 = now()
		for (let i = 0; i < count; i++) b.receive(slots[i]!, 64, lengths[i]!, t1)
		while (b.readable > 0) b.consume(b.peekLength, t1)
		let acks = 0
		while (acks < BATCH) {
			const n = b.transmit(slots[acks]!, 64, 1088, t1)
			if (n === 0) break
			lengths[acks++] = n
		}
		b.wake(t1)
		const t2 = now()
		for (let i = 0; i < acks; i++) a.receive(slots[i]!, 64, lengths[i]!, t2)
		a.wake(t2)
		const t3 = now()
		spent.sender += t1 - t0 + t3 - t2
		spent.receiver += t2 - t1
		spent.acks += acks
	}
	return spent
}

run(64 << 20)
const heap = process.memoryUsage().heapUsed
const total = MB * 1e6
const { sender, receiver, acks } = run(total)
const grown = process.memoryUsage().heapUsed - heap
const blocks = total / 1024
const rate = (total / 1e6) / ((sender + receiver) / 1e9)
console.log(`sender ${(sender / blocks).toFixed(0)} ns a block`)
console.log(`receiver ${(receiver / blocks).toFixed(0)} ns a block, ${acks} acknowledgments`)
console.log(`both on one core ${rate.toFixed(0)} MB/s`)
console.log(`heap ${(grown / blocks).toFixed(2)} bytes a block`)
