// How much gets through: one flow for each loss and round-trip time, and several flows that share a
// bottleneck. In virtual time, without keys; every figure is a share of what the path can carry.

import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { PiecePool } from '../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import type { Controller } from '../../src/message/congestion/controller.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'
import { PERFECT, type Conditions } from './link.ts'
import { Network, type Host } from './network.ts'
import { Rng } from './rng.ts'
import { StreamEnd } from './streams.ts'
import { TcpCubic } from './tcp-cubic.ts'
import { World } from './world.ts'

const RING_BYTES = 2 ** 23
/** A full block's message, and the datagram around it as the link counts it. */
const BLOCK = 1024
const WIRE = 1072 + PERFECT.overheadBytes

export interface Cell {
	loss: number
	rttMillis: number
	megabits: number
	seconds: number
	seed: number
	flows?: number
	/** So many of them, the last ones, are TCP's. */
	tcp?: number
}

export interface Outcome {
	/** Of what the bottleneck can carry, all flows together, without the first fifth of the time. */
	share: number
	/** Jain's index over the flows in the same time. */
	fairness: number
	/** What one of our flows had for each megabyte that one of TCP's had. */
	againstTcp: number
}

export function measure(o: Cell): Outcome {
	const network = new Network(o.seed, { latency: 0 })
	const world = new World(network, { callsMax: 1_000_000 })
	const bytesPerSecond = (o.megabits * 1e6) / 8
	const path: Partial<Conditions> = {
		latency: (o.rttMillis * MILLISECOND) / 2, loss: o.loss, bytesPerSecond,
		queueBytes: Math.max(64 * WIRE, (bytesPerSecond * o.rttMillis) / 1000),
	}
	const there = network.makeLink('there', path)
	const back = network.makeLink('back', { ...path, loss: 0 })
	const receivers: StreamEnd[] = []
	const { flows = 1, tcp = 0 } = o
	for (let i = 0; i < flows; i++) {
		const sender = { address: 1000 + i, port: 1 }
		const receiver = { address: 2000 + i, port: 1 }
		const random = new Rng(o.seed, i)
		const control = i < flows - tcp ? new Cubic() : new TcpCubic()
		const from = world.add(`s${i}`, end(random, receiver, Infinity, control), sender.address, 1)
		receivers.push(end(random, sender, 0))
		const to: Host = world.add(`r${i}`, receivers[i]!, receiver.address, 1)
		network.setRoute(from, to, [there])
		network.setRoute(to, from, [back])
	}
	world.runFor((o.seconds * SECOND) / 5)
	const before = receivers.map(({ read }) => read)
	world.runFor((o.seconds * SECOND * 4) / 5)
	const moved = receivers.map(({ read }, i) => read - before[i]!)
	const total = (some: readonly number[]): number => some.reduce((sum, one) => sum + one, 0)
	const sum = total(moved)
	const squares = moved.reduce((total, one) => total + one * one, 0)
	const capacity = (bytesPerSecond * o.seconds * 4 * BLOCK) / (5 * WIRE)
	const ours = total(moved.slice(0, flows - tcp)) / (flows - tcp)
	const againstTcp = ours / (total(moved.slice(flows - tcp)) / tcp)
	return { share: sum / capacity, fairness: (sum * sum) / (flows * squares), againstTcp }
}

function end(
	random: Rng, peer: { address: number, port: number }, bytes: number,
	control: Controller = new Cubic(),
): StreamEnd {
	const pieces = new PiecePool(16_384, (3 * RING_BYTES) / 16_384)
	const records = new PiecePool(RECORD_PIECE_BYTES, 4096)
	const messenger = new Messenger({
		pieces, records, random, control: () => control,
		sendBytes: RING_BYTES, receiveBytes: RING_BYTES,
	}, 0)
	return new StreamEnd(messenger, peer, bytes)
}

export const LOSSES = [0, 0.001, 0.01, 0.05]
export const RTTS = [10, 50, 200]

/** One line a round-trip time, one column a loss. */
export function lossTable(cell: Omit<Cell, 'loss' | 'rttMillis'>): string {
	const head = ['rtt', ...LOSSES.map((loss) => `${loss * 100} % loss`)]
	const rows = RTTS.map((rttMillis) => [`${rttMillis} ms`,
		...LOSSES.map((loss) => measure({ ...cell, loss, rttMillis }).share.toFixed(2))])
	return table([head, ...rows])
}

export function fairnessTable(
	cell: Omit<Cell, 'loss' | 'flows'>, counts: readonly number[],
): string {
	const rows = counts.map((flows) => {
		const { share, fairness } = measure({ ...cell, loss: 0, flows })
		return [String(flows), fairness.toFixed(3), share.toFixed(2)]
	})
	return table([['flows', 'Jain', 'share'], ...rows])
}

/** Our flows beside as many of TCP's: one line a round-trip time. */
export function tcpTable(cell: Omit<Cell, 'loss' | 'rttMillis' | 'flows'>): string {
	const rows = RTTS.map((rttMillis) => [`${rttMillis} ms`, ...[2, 8].flatMap((flows) => {
		const { againstTcp, share } = measure({ ...cell, loss: 0, rttMillis, flows, tcp: flows / 2 })
		return [againstTcp.toFixed(2), share.toFixed(2)]
	})])
	return table([['rtt', '1 : 1', 'share', '4 : 4', 'share'], ...rows])
}

function table(rows: readonly (readonly string[])[]): string {
	const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
	return rows.map((row) => row.map((text, i) => text.padStart(widths[i]!)).join('  ')).join('\n')
}
