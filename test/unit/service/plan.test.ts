import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { Forbidden } from '../../../src/gateway/target.ts'
import { Tables } from '../../../src/gateway/tables.ts'
import { makeEntropy } from '../../../src/platform/entropy.ts'
import { PIECE_BYTES } from '../../../src/service/budget.ts'
import {
	isShortage, ONE_SERVER, planOf, sumOf, type Extent, type Limits, type Plan,
} from '../../../src/service/plan.ts'
import { makeGenerator } from '../../support/generator.ts'

const LIMITS: Limits = {
	connections: 1024, memory: 64 * 2 ** 20, programs: 64, routes: 65_536, socketBuffer: 2 ** 20,
	connect: 60 * SECOND, keepalive: 20 * SECOND, deadPeer: 90 * SECOND, idle: Infinity,
	drain: 10 * SECOND,
}

function plan(limits: Limits, extent: Extent): Plan {
	const made = planOf(limits, extent)
	if (isShortage(made)) throw new Error(`short of ${made.needBytes}`)
	return made
}

test('the terms are the total, and the total is the memory but for a piece', (t) => {
	const seed = 20_260_801
	const { below } = makeGenerator(seed)
	let short = 0
	for (let i = 0; i < 500; i++) {
		const limits = {
			...LIMITS, connections: 1 + below(4096), memory: 2 ** 20 * (1 + below(400)),
		}
		const extent = { servers: 1 + below(4), listens: 1 + below(3), gatewayPorts: 0 }
		const made = planOf(limits, extent)
		if (isShortage(made)) {
			short++
			continue
		}
		t.is(made.totalBytes, sumOf(made.terms), `seed ${seed}`)
		t.true(made.totalBytes <= limits.memory, `seed ${seed}`)
		t.true(made.totalBytes > limits.memory - 2 * PIECE_BYTES, `seed ${seed}`)
		t.true(made.server.pieces >= 2 * limits.connections, `seed ${seed}: two pieces each`)
	}
	t.true(short > 50 && short < 450, `seed ${seed}: both kinds were seen`)
})

test('a shortage says what would do: so much memory, or so few connections, and not less', (t) => {
	const seed = 20_260_802
	const { below } = makeGenerator(seed)
	for (let i = 0; i < 200; i++) {
		const limits = { ...LIMITS, connections: 2000 + below(4000), memory: 2 ** 20 * (8 + below(60)) }
		const made = planOf(limits, ONE_SERVER)
		if (!isShortage(made)) throw new Error(`seed ${seed}: enough`)
		t.false(isShortage(planOf({ ...limits, memory: made.needBytes }, ONE_SERVER)), `seed ${seed}`)
		const less = { ...limits, memory: made.needBytes - 1 }
		t.true(isShortage(planOf(less, ONE_SERVER)), `seed ${seed}`)
		const { connectionsMax } = made
		t.false(isShortage(planOf({ ...limits, connections: connectionsMax }, ONE_SERVER)))
		t.true(isShortage(planOf({ ...limits, connections: connectionsMax + 1 }, ONE_SERVER)))
	}
	t.true(isShortage(planOf({ ...LIMITS, memory: 2 ** 20 }, ONE_SERVER)))
})

test('1,024 connections fit into 48M, as the product page has it', (t) => {
	const limits = { ...LIMITS, memory: 48 * 2 ** 20 }
	for (const servers of [1, 2, 16]) t.notThrows(() => plan(limits, { ...ONE_SERVER, servers }))
})

test('the gateway\'s tables take no more than their terms say', (t) => {
	const entropy = makeEntropy()
	for (const ports of [[4000], [4000, 4001]]) {
		const extent = { servers: 0, listens: 0, gatewayPorts: ports.length }
		const { totalBytes } = plan(LIMITS, extent)
		const before = process.memoryUsage().arrayBuffers
		const tables = new Tables({
			address: 1, ports, clientsPrefix: undefined, forbidden: new Forbidden([], []),
			fence: undefined, sealer: undefined, routesMax: LIMITS.routes,
		}, entropy)
		// An IPv6 or MAC target makes the places of all rows.
		tables.setRoute(new Uint8Array(16), { kind: 'mac', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) })
		const used = process.memoryUsage().arrayBuffers - before
		t.true(used <= totalBytes, `${used} of ${totalBytes}`)
		t.true(used > totalBytes / 2, `${used} of ${totalBytes}: the terms are no fantasy`)
		t.is(tables.routes.count, 1)
	}
})

test('nothing declared, nothing taken', (t) => {
	t.is(plan(LIMITS, { servers: 0, listens: 0, gatewayPorts: 0 }).totalBytes, 0)
})
