import v8 from 'node:v8'
import vm from 'node:vm'
import test from 'ava'
import { FRAME_AT, FRAME_BYTES, makeFrame, type Frame } from '../../../src/gateway/frame.ts'
import { fuzzGateway, makeMutants } from '../../fuzz/gateway.ts'
import { makeWorld } from '../../support/gateway-world.ts'

test('60,000 random and mutated packets: nothing goes where it may not', (t) => {
	const result = fuzzGateway(Number(process.env['SEED'] ?? 4), 60_000)
	t.is(result.complaint, undefined)
	// The mutations must not all die at the first check, or this proves nothing.
	t.true(result.forwarded > 5000 && result.dropped > 5000 && result.passed > 1000,
		JSON.stringify(result))
})

test('a decision allocates nothing, whatever the packet', (t) => {
	v8.setFlagsFromString('--expose-gc')
	const gc: unknown = vm.runInNewContext('gc')
	if (typeof gc !== 'function') return t.fail('no gc')
	for (const sealed of [false, true]) {
		const { forwarder, seeds: valid } = makeWorld(3, sealed)
		const seeds = [...valid, ...makeMutants(5, 200)]
		const frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
		const rounds = (n: number): void => {
			for (let i = 0; i < n; i++) {
				for (let k = 0; k < seeds.length; k++) {
					load(frame, seeds[k]!.packet)
					forwarder.decide(frame, seeds[k]!.side, i)
				}
			}
		}
		// The least of several: the compiler's own work shows up in the others.
		let bytes = Infinity
		for (let round = 0; round < 8 && bytes >= 0.5; round++) {
			rounds(400)
			gc()
			const before = process.memoryUsage().heapUsed
			rounds(400)
			bytes = Math.min(bytes, (process.memoryUsage().heapUsed - before) / (400 * seeds.length))
		}
		t.log(`${bytes.toFixed(3)} bytes a packet, ${sealed ? 'sealed' : 'encoded'}`)
		// What remains is the measurement itself: a single number boxed would be 16 bytes.
		t.true(bytes < 0.5, `${bytes} bytes a packet`)
	}
	return undefined
})

function load(frame: Frame, packet: Uint8Array): void {
	frame.at = FRAME_AT
	frame.length = packet.length
	for (let i = 0; i < packet.length; i++) frame.bytes[FRAME_AT + i] = packet[i]!
}
