// The kernel's filters, run by a small interpreter of classic BPF: what they let through is what
// the decision may want, and nothing that it would pass by.

import test from 'ava'
import { toHex } from '../../../../src/base/hex.ts'
import type { Side } from '../../../../src/gateway/forward.ts'
import {
	filterIpv4, filterIpv6, filterLocal, REFUSE_ALL, type Instruction,
} from '../../../../src/platform/linux/bpf.ts'
import { parseIpv4, parseIpv6 } from '../../../../src/wire/ip.ts'
import {
	fixtures, inward, EXT, makeGateway, outward, PUBLIC,
} from '../../../support/gateway-fixtures.ts'
import { icmp4, loadFrame, udp4 } from '../../../support/packets.ts'

const ADDRESS = parseIpv4(PUBLIC)!
const PACKET_TYPE = 0xfffff004

/** What the program says of a packet: the bytes to hand over, 0: none. Out of bounds is 0 too. */
function run(program: readonly Instruction[], p: Uint8Array, packetType = 0): number {
	let a = 0
	let x = 0
	for (let pc = 0; pc < program.length; pc++) {
		const [code, jt, jf, k] = program[pc]!
		const load = (at: number, n: number): boolean => {
			if (at + n > p.length) return false
			a = 0
			for (let i = 0; i < n; i++) a = a * 256 + p[at + i]!
			return true
		}
		let inside = true
		switch (code) {
			case 0x20: if (k === PACKET_TYPE) a = packetType; else inside = load(k, 4); break
			case 0x28: inside = load(k, 2); break
			case 0x30: inside = load(k, 1); break
			case 0x48: inside = load(x + k, 2); break
			case 0x50: inside = load(x + k, 1); break
			case 0xb1: if (k < p.length) x = 4 * (p[k]! & 15); else inside = false; break
			case 0x15: pc += a === k ? jt : jf; break
			case 0x45: pc += (a & k) !== 0 ? jt : jf; break
			case 0x06: return k
			default: throw new Error(`code ${code.toString(16)}`)
		}
		if (!inside) return 0
	}
	throw new Error('it does not end')
}

const filters: Record<Side, readonly Instruction[]> = {
	wan: filterIpv4({ address: ADDRESS, wanPorts: [4000], lanPorts: undefined }),
	lan: filterIpv4({ address: ADDRESS, wanPorts: undefined, lanPorts: [4000, 5000] }),
}

test('whatever the decision forwards or counts, the filters have let through', (t) => {
	let passed = 0
	for (const [number, sentence, side, packet] of fixtures) {
		if (packet[0]! >> 4 !== 4) continue
		const verdict = makeGateway().decide(loadFrame(packet), side, 0)
		const seen = run(filters[side], packet)
		if (verdict.action !== 'pass') t.true(seen > packet.length, `${number}. ${sentence}`)
		else passed += seen === 0 ? 1 : 0
	}
	t.true(passed > 0, 'and some of what is the kernel\'s they have not')
})

test('packets for other machines, ports and addresses stay outside', (t) => {
	const ours = udp4(inward(EXT.plain))
	t.true(run(filters.wan, ours) > 0)
	for (const type of [1, 2, 3, 4]) t.is(run(filters.wan, ours, type), 0, `packet type ${type}`)
	t.is(run(filters.wan, udp4(inward(EXT.plain, { toPort: 4001 }))), 0)
	t.is(run(filters.wan, udp4(inward(EXT.plain, { to: '192.0.2.2' }))), 0)
	t.is(run(filters.wan, udp4(outward())), 0, 'the local side\'s, on the wan side')
	t.is(run(filters.lan, ours), 0, 'the other way round')
	t.true(run(filters.lan, udp4(outward())) > 0)
	t.is(run(filters.lan, udp4(outward({ fromPort: 4001 }))), 0)
	for (const type of [0, 3, 4, 5, 8, 11, 12, 13]) {
		const packet = icmp4({ from: '203.0.113.9', to: PUBLIC, type, quote: ours })
		t.is(run(filters.wan, packet) > 0, [3, 11, 12].includes(type), `ICMP type ${type}`)
	}
	const tcp = udp4(inward(EXT.plain))
	tcp[9] = 6
	t.is(run(filters.wan, tcp), 0)
})

test('every cut of a packet ends inside the program', (t) => {
	const packet = udp4(inward(EXT.plain))
	for (let n = 0; n <= packet.length; n++) {
		const cut = packet.subarray(0, n)
		t.is(run(filters.wan, cut) > 0, n >= 24, `${n} bytes`)
		t.is(run(filters.lan, cut), 0)
	}
})

test('one interface for both sides lets both through', (t) => {
	const both = filterIpv4({ address: ADDRESS, wanPorts: [4000], lanPorts: [4000] })
	t.true(run(both, udp4(inward(EXT.plain))) > 0)
	t.true(run(both, udp4(outward())) > 0)
	t.is(run(both, udp4(outward({ fromPort: 53 }))), 0)
})

test('a nftables helper sees ICMP errors alone', (t) => {
	const helper = filterIpv4({ address: ADDRESS, wanPorts: [], lanPorts: undefined })
	t.is(run(helper, udp4(inward(EXT.plain))), 0)
	const quote = udp4(inward(EXT.plain))
	t.true(run(helper, icmp4({ from: '203.0.113.9', to: PUBLIC, type: 3, quote })) > 0)
})

test('more ports than fit into short jumps are left to the decision', (t) => {
	const many = Array.from({ length: 300 }, (_, i) => 1000 + i)
	const program = filterIpv4({ address: ADDRESS, wanPorts: many, lanPorts: many })
	for (const instruction of program) {
		t.true(instruction[1] < 256 && instruction[2] < 256, String(instruction))
	}
	t.true(run(program, udp4(inward(EXT.plain))) > 0)
})

test('IPv6 packets to the clients\' prefix, and no others', (t) => {
	const program = filterIpv6(parseIpv6('64:ff9b:1::')!.subarray(0, 12))
	const packet = new Uint8Array(48)
	packet.set(parseIpv6('64:ff9b:1::c633:6407')!, 24)
	t.true(run(program, packet) > 0)
	t.is(run(program, packet, 3), 0)
	for (let bit = 0; bit < 96; bit++) {
		const other = packet.slice()
		other[24 + (bit >> 3)]! ^= 0x80 >> (bit & 7)
		t.is(run(program, other), 0, toHex(other, 24, 16))
	}
	t.is(run(program, packet.subarray(0, 30)), 0)
})

test('what is diverted comes to its own ports', (t) => {
	const program = filterLocal([40_001, 40_002])
	for (const [port, seen] of [[40_001, true], [40_002, true], [40_003, false]] as const) {
		t.is(run(program, udp4(inward(EXT.plain, { toPort: port }))) > 0, seen)
	}
	t.is(run(REFUSE_ALL, udp4(inward(EXT.plain))), 0)
})
