// Random and mutated packets through the gateway's decision: nothing reaches what tables and fence
// do not allow, nothing throws, nothing grows. COUNT and SEED come from the environment.

import { pathToFileURL } from 'node:url'
import { FRAME_AT, FRAME_BYTES, makeFrame, type Frame } from '../../src/gateway/frame.ts'
import { makeGenerator, type Generator } from '../support/generator.ts'
import { makeWorld, type World } from '../support/gateway-world.ts'
import { internetSum } from '../support/packets.ts'

export interface FuzzResult {
	readonly packets: number
	readonly forwarded: number
	readonly dropped: number
	readonly passed: number
	readonly complaint: string | undefined
}

export function fuzzGateway(seed: number, count: number): FuzzResult {
	const random = makeGenerator(seed)
	const worlds = [makeWorld(seed, false), makeWorld(seed, true)]
	const frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	const result = { packets: 0, forwarded: 0, dropped: 0, passed: 0 }
	for (let i = 0; i < count; i++) {
		const world = worlds[i & 1]!
		const { side, packet } = world.seeds[random.below(world.seeds.length)]!
		frame.at = FRAME_AT
		if (random.below(10) === 0) randomPacket(frame, random)
		else mutate(frame, packet, random)
		const verdict = world.forwarder.decide(frame, random.below(16) === 0 ? 'lan' : side, i)
		result.packets++
		if (verdict.action === 'drop') result.dropped++
		else if (verdict.action === 'pass') result.passed++
		else {
			result.forwarded++
			// The slow check looks at enough of them; which ones depends on the seed.
			const complaint = random.below(count > 100_000 ? 8 : 1) === 0
				? world.complaint(frame, verdict) : undefined
			if (complaint !== undefined) return { ...result,
				complaint: `seed ${seed}, packet ${i}: ${complaint}` }
		}
	}
	return { ...result, complaint: undefined }
}

/** Packets of the same kinds, to be decided again and again. */
export function makeMutants(seed: number, count: number): World['seeds'] {
	const random = makeGenerator(seed)
	const { seeds } = makeWorld(seed, false)
	const frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	return Array.from({ length: count }, () => {
		const { side, packet } = seeds[random.below(seeds.length)]!
		frame.at = FRAME_AT
		if (random.below(10) === 0) randomPacket(frame, random)
		else mutate(frame, packet, random)
		return { side, packet: frame.bytes.slice(FRAME_AT, FRAME_AT + frame.length) }
	})
}

function randomPacket(frame: Frame, random: Generator): void {
	frame.length = random.below(200)
	random.fill(frame.bytes, FRAME_AT, frame.length)
	if (random.below(2) === 0) frame.bytes[FRAME_AT] = 0x45
}

/** Flips, cuts, splices and repeats; half of the time the sums are made right again. */
function mutate(frame: Frame, packet: Uint8Array, random: Generator): void {
	const p = frame.bytes
	p.set(packet, FRAME_AT)
	frame.length = packet.length
	for (let n = random.below(4); n > 0; n--) {
		// Headers and extensions are where decisions are made.
		const at = FRAME_AT
			+ random.below(random.below(4) === 0 ? frame.length : Math.min(frame.length, 112))
		switch (random.below(5)) {
			case 0: p[at]! ^= 1 << random.below(8); break
			case 1: p[at] = random.below(256); break
			case 2: frame.length = Math.max(1, frame.length - random.below(64)); break
			case 3: p.copyWithin(at, FRAME_AT + random.below(64), FRAME_AT + 64 + random.below(32)); break
			case 4: frame.length = Math.min(1500, frame.length + random.below(32)); break
		}
	}
	if (random.below(2) === 0) heal(p)
}

/** Right header checksum, no UDP checksum: so that mutations get past the sums. */
function heal(p: Uint8Array): void {
	if (p[FRAME_AT] !== 0x45) return
	p[FRAME_AT + 10] = 0
	p[FRAME_AT + 11] = 0
	const sum = 0xffff - internetSum([...p.subarray(FRAME_AT, FRAME_AT + 20)])
	p[FRAME_AT + 10] = sum >> 8
	p[FRAME_AT + 11] = sum
	if (p[FRAME_AT + 9] === 17) p.fill(0, FRAME_AT + 26, FRAME_AT + 28)
}

function main(): void {
	const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
	const count = Number(process.env['COUNT'] ?? 10_000_000)
	process.stdout.write(`seed ${seed}\n`)
	const result = fuzzGateway(seed, count)
	process.stdout.write(`${JSON.stringify(result)}\n`)
	if (result.complaint !== undefined) process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
