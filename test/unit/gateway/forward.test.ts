// The decision over the fixtures of test/support/gateway-fixtures.ts, and what needs a history.

import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { parseTarget } from '../../../src/gateway/target.ts'
import {
	awayError, check, EXT, fence, fixtures, hex, homeError, inward, makeGateway, OTHER4, outward,
	PUBLIC, sentIn, sentOut, wan,
} from '../../support/gateway-fixtures.ts'
import { curvecp, icmp4, SERVER, udp4 } from '../../support/packets.ts'

for (const [number, sentence, side, packet, result] of fixtures) {
	test(`${number}. ${sentence}`, (t) => {
		const gateway = makeGateway()
		const got = check(gateway, side, packet)
		if (typeof got === 'string' || typeof result === 'string') t.is(got, result)
		else t.deepEqual({ ...got, packet: toHex(got.packet) },
			{ ...result, packet: toHex(result.packet) })
		const counted = gateway.forwardedIn + gateway.forwardedOut + gateway.passed
		t.is(counted + Object.values(gateway.drops).reduce((a, b) => a + b), 1, 'counted once')
	})
}

test('the numbers of the fixtures are in order', (t) => {
	t.deepEqual(fixtures.map(([number]) => number), fixtures.map((_, i) => i + 1))
})

test('every length of a quote, 0 to 600, has the same verdict as the text says', (t) => {
	const long = udp4(outward({ from: PUBLIC }))
	for (let n = 0; n <= 600; n++) {
		const got = check(makeGateway(), 'wan', icmp4(awayError(long.subarray(0, n))))
		if (n < 28) t.is(got, 'pass', `${n} bytes`)
		else if (n < 68) t.is(got, 'length', `${n} bytes`)
		else t.is(typeof got === 'string' ? got : got.way, 'lan', `${n} bytes`)
	}
})

test('encoded extensions reach what the fence allows and nothing else', (t) => {
	const gateway = makeGateway({
		fence: fence(['10.77.0.0/24', 'fd00:77::/64', 'mac:02:00:00'], [4000, 5000]),
	})
	const rows: [string, string][] = [
		['010a4d000200000000000000000000', 'lan'], ['010a4d000213880000000000000000', 'lan'],
		['010a4d000213890000000000000000', 'fence'], ['010a4d010200000000000000000000', 'fence'],
		['010a4d000200000000000000000001', 'fence'], ['010a4d000100000000000000000000', 'fence'],
		['017f00000100000000000000000000', 'fence'], ['02000000000000000200000000000000', 'lan'],
		['020000000000000002138800000000', 'lan'], ['02000000000000000213880000000001', 'fence'],
		['030200000000050000000000000000', 'mac'], ['030200010000050000000000000000', 'fence'],
		['210a4d000200000000000000000000', 'route'], ['040a4d000200000000000000000000', 'route'],
		['100a4d000200000000000000000000', 'route'],
	]
	for (const [text, result] of rows) {
		const got = check(gateway, 'wan', udp4(inward(hex(text.padEnd(32, '0')))))
		t.is(typeof got === 'string' ? got : got.way, result, text)
	}
	const back = check(gateway, 'lan', udp4(outward({ from: '10.77.0.77' })))
	t.is(typeof back === 'string' ? back : back.way, 'wan', 'what the fence allows may answer')
	t.is(check(gateway, 'lan', udp4(outward({ from: '10.77.0.77', fromPort: 4001 }))), 'pass')
	t.is(check(gateway, 'lan', udp4(outward({ from: '10.77.0.1' }))), 'pass', 'the gateway itself')
})

test('a flow whose port is changed answers from the public port that it came to', (t) => {
	const gateway = makeGateway({ ports: [4000, 4100] })
	const back = { payload: curvecp(SERVER, 'M', EXT.zero, EXT.ported, 208) }
	for (const [port, fromPort] of [[4000, 1], [4100, 2]] as const) {
		check(gateway, 'wan', udp4(inward(EXT.ported, { toPort: port, fromPort })))
		t.deepEqual(
			check(gateway, 'lan',
				udp4(outward({ ...back, from: OTHER4, fromPort: 5000, toPort: fromPort }))),
			wan(outward({ ...back, from: PUBLIC, fromPort: port, toPort: fromPort, ttl: 63 })),
		)
	}
})

test('a source beyond its rate is dropped, others are not', (t) => {
	const gateway = makeGateway({ sourceRate: { perSecond: 10, burst: 3 } })
	const results = Array.from({ length: 5 }, () => check(gateway, 'wan', udp4(inward(EXT.plain))))
	t.deepEqual(results.map((r) => typeof r), ['object', 'object', 'object', 'string', 'string'])
	t.is(results[4], 'rate')
	t.is(typeof check(gateway, 'wan', udp4(inward(EXT.plain, { from: '198.51.100.99' }))), 'object')
})

test('a target beyond its rate, and ICMP beyond its budget', (t) => {
	const few = { perSecond: 1, burst: 1 }
	const gateway = makeGateway({ targetRate: few, icmpRate: few })
	t.is(typeof check(gateway, 'wan', udp4(inward(EXT.plain))), 'object')
	t.is(check(gateway, 'wan', udp4(inward(EXT.plain, { from: '198.51.100.9' }))), 'rate')
	t.is(typeof check(gateway, 'wan', udp4(inward(EXT.ported))), 'object')
	t.is(typeof check(gateway, 'lan', icmp4(homeError(sentIn))), 'object')
	t.is(check(gateway, 'wan', icmp4(awayError(sentOut))), 'rate')
})

test('routes to where nothing may go are refused, with the reason', (t) => {
	const tables = makeGateway().tables
	const rows: [string, RegExp][] = [
		['127.0.0.1', /loopback/], ['169.254.1.1', /link-local/], ['224.0.0.1', /multicast/],
		['255.255.255.255', /broadcast/], ['0.0.0.0', /unspecified/], ['10.77.0.1', /gateway/],
		[`${PUBLIC}:4000`, /gateway/], ['[::1]', /loopback/], ['[fe80::1]', /link-local/],
		['[ff02::1]', /multicast/], ['[::ffff:10.0.0.1]', /IPv4/],
			['mac:ff:ff:ff:ff:ff:ff', /broadcast/],
		['mac:01:00:5e:00:00:01', /multicast/],
	]
	for (const [text, why] of rows) {
		const target = parseTarget(text)
		if (typeof target === 'string') t.fail(target)
		else t.regex(tables.setRoute(EXT.none, target) ?? '', why, text)
	}
	for (const text of ['10.0.0', '10.0.0.1:0', '10.0.0.1:65536', ':x', '[fe80', 'mac:1', '',
		'10.0.0.01']) {
		t.is(typeof parseTarget(text), 'string', `'${text}' is no target`)
	}
})
