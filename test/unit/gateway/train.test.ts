// Trains against the packets that they were made of, and what is none.

import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { FRAME_AT, makeFrame, TRAIN_BYTES, type Frame } from '../../../src/gateway/frame.ts'
import { cutTrain, trainStep } from '../../../src/gateway/train.ts'
import { parseIpv6 } from '../../../src/wire/ip.ts'
import { EXT, inward } from '../../support/gateway-fixtures.ts'
import { makeGenerator } from '../../support/generator.ts'
import { CLIENT, curvecp, loadFrame, SERVER, udp4, udp6 } from '../../support/packets.ts'

function load(packet: Uint8Array): Frame {
	const frame = makeFrame(new ArrayBuffer(TRAIN_BYTES), 0, TRAIN_BYTES)
	frame.bytes.set(packet, FRAME_AT)
	frame.length = packet.length
	return frame
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
	return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** Every packet that the train is cut into. */
function cut(train: Frame): string[] {
	const step = trainStep(train)
	const to = loadFrame(new Uint8Array(0))
	const packets: string[] = []
	if (step === 0) return packets
	for (let i = 0; cutTrain(train, step, i, to); i++) {
		packets.push(toHex(to.bytes, to.at, to.length))
	}
	return packets
}

const KINDS = [[CLIENT, 'I', 736], [CLIENT, 'M', 1168], [CLIENT, 'M', 112], [SERVER, 'M', 1136],
	[SERVER, 'M', 80]] as const

test('a train is cut into the packets that it was made of, 500 seeded trains', (t) => {
	const random = makeGenerator(Number(process.env['SEED'] ?? 7))
	for (let round = 0; round < 500; round++) {
		const [magic, kind, n] = KINDS[random.below(KINDS.length)]!
		const count = 2 + random.below(Math.floor(60_000 / n) - 1)
		const parts = Array.from({ length: count }, () => {
			const part = curvecp(magic, kind, EXT.plain, EXT.client, n)
			random.fill(part, 40, n - 40)
			return part
		})
		// The last one may be shorter, as long as it can be told to be one.
		const last = parts[count - 1]!
		parts[count - 1] = last.subarray(0, n - 16 * random.below(Math.floor((n - 64) / 16)))
		const id = random.below(65_536)
		const header = { ...inward(EXT.plain), checksum: 'pseudo', tos: random.below(256) } as const
		const four = load(udp4({ ...header, id, payload: joined(parts) }))
		t.deepEqual(cut(four), parts.map((payload, i) =>
			toHex(udp4({ ...header, id: (id + i) & 0xffff, payload }))), `round ${round}`)
		const six = { ...header, from: parseIpv6('fd00:77::2')!, to: parseIpv6('64:ff9b:1::1')! }
		const cut6 = cut(load(udp6({ ...six, payload: joined(parts) })))
		t.deepEqual(cut6, parts.map((payload) => toHex(udp6({ ...six, payload }))))
	}
})

test('what is no train of CurveCP packets is left alone', (t) => {
	const one = curvecp(CLIENT, 'M', EXT.plain, EXT.client, 1168)
	const other = curvecp(CLIENT, 'M', EXT.ported, EXT.client, 1168)
	const hello = curvecp(CLIENT, 'H', EXT.plain, EXT.client, 240)
	const rows: [string, Uint8Array][] = [
		['one packet', udp4(inward(EXT.plain, { payload: one }))],
		['for two servers', udp4(inward(EXT.plain, { payload: joined([one, other]) }))],
		['of a wrong length', udp4(inward(EXT.plain, { payload: joined([hello, hello]) }))],
		['foreign', udp4(inward(EXT.plain, { payload: new Uint8Array(4000) }))],
		['a fragment', udp4(inward(EXT.plain, { payload: joined([one, one]), fragment: 0x2000 }))],
		['options', udp4(inward(EXT.plain, { payload: joined([one, one]), options: [1, 1, 1, 0] }))],
		['a wrong header', udp4(inward(EXT.plain, { payload: joined([one, one]), headerChecksum: 1 }))],
		['cut short', udp4(inward(EXT.plain, { payload: joined([one, one]) })).subarray(0, 2000)],
		['nothing', new Uint8Array(0)],
	]
	for (const [what, packet] of rows) t.is(trainStep(load(packet)), 0, what)
})

test('10,000 damaged trains are cut inside their frames, or not at all', (t) => {
	const random = makeGenerator(Number(process.env['SEED'] ?? 8))
	const part = curvecp(CLIENT, 'M', EXT.plain, EXT.client, 1168)
	const payload = joined(Array.from({ length: 9 }, () => part))
	const whole = udp4(inward(EXT.plain, { payload, checksum: 'pseudo' }))
	const to = loadFrame(new Uint8Array(0))
	for (let i = 0; i < 10_000; i++) {
		const train = load(whole)
		train.length -= random.below(4) === 0 ? random.below(whole.length) : 0
		for (let n = random.below(3); n > 0; n--) {
			train.bytes[FRAME_AT + random.below(whole.length)]! ^= 1 << random.below(8)
		}
		const step = trainStep(train)
		let count = 0
		while (step > 0 && cutTrain(train, step, count, to)) {
			count++
			if (to.length > 1212 || count > 600) return t.fail(`${count} of ${to.length} bytes`)
		}
	}
	return t.pass()
})
