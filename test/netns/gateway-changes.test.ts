// What is still right is forwarded while the machine under a gateway changes (drawing:
// test/support/gateway-site.ts): 20,000 routes, every packet counted, and another public address,
// another network in the LAN, packets of another length.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { fromHex, toHex } from '../../src/base/hex.ts'
import {
	extensionOf, makeSite, PUBLIC, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'
import type { Box } from '../support/netns.ts'
import { CLIENT, curvecp, SERVER, udp4 } from '../support/packets.ts'
import type { Started } from '../support/processes.ts'

const TOOL = resolve('build/out/test/support/wire-tool.js')
const netns = needs('linux', 'root', 'netns', 'ip', 'nft')
const MOVED = '192.0.2.9'
const ROUTES = 20_000
/** Every second route leads to the network that comes and goes. */
const TARGETS = ['10.77.0.2', '10.79.0.2']

async function start(t: ExecutionContext, site: Site): Promise<Started> {
	const routes = join(site.folder, 'routes')
	writeFileSync(routes, Array.from({ length: ROUTES }, (_, i) =>
		`${extensionOf(i)} ${TARGETS[i % 2]!}\n`).join(''))
	const config = join(site.folder, 'curvegate.toml')
	writeFileSync(config, 'schema = 1\n[gateway]\nwan = "wan0"\nlan = "lan0"\n'
		+ `routes = "${routes}"\nsource-rate = 1000000000\ntarget-rate = 1000000000\n`)
	site.one.ip('addr add 10.79.0.2/32 dev lo')
	site.gw.ip('route add 10.79.0.0/24 via 10.77.0.2 metric 50')
	// The kernel's own way to the Internet does not go with the address.
	site.gw.ip('route add 192.0.2.0/24 dev wan0 metric 50')
	return startGatewayProcess(t, site, 'nftables', ['--config', config])
}

/** Counts packets by rules of this name, and shows them to nobody. */
class Sink {
	readonly #box: Box

	constructor(box: Box, ...matches: readonly string[]) {
		this.#box = box
		box.run('nft', 'add table ip sink; add chain ip sink in { type filter hook prerouting '
			+ 'priority -300; }; '
			+ matches.map((match) => `add rule ip sink in ${match} counter drop`).join('; '))
	}

	counts(): number[] {
		const text = this.#box.run('nft', 'list', 'table', 'ip', 'sink')
		return [...text.matchAll(/counter packets (\d+)/g)].map(([, n]) => Number(n))
	}
}

interface Ends {
	readonly from: string
	readonly fromPort: number
	readonly to: string
	readonly toPort: number
}

function hello(to: string, fromPort: number, route: number): string {
	const payload =
		curvecp(CLIENT, 'H', fromHex(extensionOf(route), 16)!, new Uint8Array(16), 224)
	return packet({ from: '192.0.2.2', fromPort, to, toPort: 4000 }, payload)
}

function packet(ends: Ends, payload: Uint8Array): string {
	return `${toHex(udp4({ ...ends, payload }))}\n`
}

/** Sends the same lines again and again while things happen. */
class Traffic {
	rounds = 0
	readonly #tool: Started
	readonly #lines: string
	readonly #perWrite = 16

	constructor(t: ExecutionContext, from: Box, mac: string, lines: readonly string[]) {
		this.#tool = from.start(t, process.execPath, [TOOL, 'send', 'eth0', mac])
		this.#lines = lines.join('').repeat(this.#perWrite)
	}

	send(): void {
		this.#tool.child.stdin?.write(this.#lines)
		this.rounds += this.#perWrite
	}

	async end(t: ExecutionContext): Promise<void> {
		this.#tool.feed('')
		await this.#tool.ended
		t.is(this.#tool.stdout().toString(), '{}\n', this.#tool.stderr())
	}
}

/** Packets come as long as the gateway takes to follow, and a while after. */
async function changed(
	gateway: Started, traffic: readonly Traffic[], change: () => void, isDone: () => boolean,
): Promise<void> {
	const seen = gateway.stderr().length
	const send = (): void => traffic.forEach((each) => each.send())
	for (let i = 0; i < 10; i++) send()
	change()
	await gateway.until(() => {
		send()
		return /addresses [\s\S]*gateway datapath=nftables/.test(gateway.stderr().slice(seen))
			&& isDone()
	}, 'the change')
	for (let i = 0; i < 10; i++) send()
}

netns('another public address: at every moment one of both is forwarded for, and answers leave',
	async (t) => {
	const site = makeSite(t)
	const gateway = await start(t, site)
	site.gw.sysctl('net.ipv4.conf.wan0.promote_secondaries', '1')
	site.gw.ip(`addr add ${MOVED}/24 dev wan0`)
	await gateway.untilPrinted(/addresses address=192\.0\.2\.1 /)
	const inside = new Sink(site.one, 'udp sport 1', 'udp sport 9')
	const outside = new Sink(site.away, `ip saddr ${PUBLIC} udp dport 7`,
		`ip saddr ${MOVED} udp dport 7`, 'udp dport 7')
	const inward = new Traffic(t, site.away, site.gw.mac('wan0'),
		[hello(PUBLIC, 1, 0), hello(MOVED, 9, 1)])
	const answer = curvecp(SERVER, 'M', new Uint8Array(16), fromHex(extensionOf(0), 16)!, 208)
	const outward = new Traffic(t, site.one, site.gw.mac('lan0'),
		[packet({ from: '10.77.0.2', fromPort: 4000, to: '192.0.2.2', toPort: 7 }, answer)])
	await changed(gateway, [inward, outward], () => site.gw.ip(`addr del ${PUBLIC}/24 dev wan0`),
		() => !/192\.0\.2\.1[^0-9]/.test(site.gw.run('nft', 'list', 'ruleset')))
	await Promise.all([inward.end(t), outward.end(t)])
	const sum = ([a = 0, b = 0]: readonly number[]): number => a + b
	await gateway.until(() => sum(inside.counts()) >= inward.rounds, 'what was sent inward')
	await gateway.until(() => sum(outside.counts()) >= outward.rounds, 'what was sent outward')
	const [old = 0, fresh = 0] = inside.counts()
	t.log(`${old} to the old address, ${fresh} to the new one, of ${inward.rounds} each`)
	t.true(old > 0 && fresh > 0)
	// The rules may change between two packets that were sent together.
	t.true(old + fresh - inward.rounds <= 1)
	const [under = 0, anew = 0, bare = 0] = outside.counts()
	t.true(under > 0 && anew > 0)
	t.deepEqual([under + anew, bare], [outward.rounds, 0], 'none under another address')
})

netns('networks of the LAN and the length of its packets change: not one packet is lost',
	async (t) => {
	const site = makeSite(t)
	const gateway = await start(t, site)
	const inside = new Sink(site.one, 'ip daddr 10.77.0.2 udp dport 4000',
		'ip daddr 10.79.0.2 udp dport 4000')
	const traffic = new Traffic(t, site.away, site.gw.mac('wan0'),
		[hello(PUBLIC, 1, 0), hello(PUBLIC, 1, 1)])
	const near = (): number => site.gw.run('nft', 'list', 'map', 'netdev',
		`curvegate_wan0_${gateway.pid}`, 'near').match(/ : 10\./g)?.length ?? 0
	t.is(near(), ROUTES / 2)
	for (const [change, count] of [
		['addr add 10.79.0.1/24 dev lan0', ROUTES], ['link set lan0 mtu 1000', 0],
		['link set lan0 mtu 1500', ROUTES], ['addr del 10.79.0.1/24 dev lan0', ROUTES / 2],
	] as const) {
		await changed(gateway, [traffic], () => site.gw.ip(change), () => near() === count)
	}
	await traffic.end(t)
	const all = [traffic.rounds, traffic.rounds]
	await gateway.until(() => String(inside.counts()) === String(all), `${all}: ${inside.counts()}`)
	// What belonged elsewhere is in one place only, and a reload finds it there.
	writeFileSync(join(site.folder, 'routes'), `${extensionOf(0)} 10.77.0.2\n`)
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(/info routes routes=1 added=0 changed=0 removed=19999/)
	t.is(site.gw.run('nft', 'list', 'ruleset').match(/ : 10\.7/g)?.length, 1)
})
