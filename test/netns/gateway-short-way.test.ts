// The short way of the nftables datapath, and what must not be passed by on it (drawing:
// test/support/gateway-site.ts): limits, others' filters, the kernel's own look at sources.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { fromHex, toHex } from '../../src/base/hex.ts'
import { Sealer } from '../../src/gateway/sealed.ts'
import { readSealKeys } from '../../src/platform/sealdir.ts'
import { ControlClient } from '../../src/service/control-client.ts'
import type { RoutePage } from '../../src/service/gateway.ts'
import { runCurvegate } from '../support/curvegate.ts'
import {
	EXT_ONE, extensionOf, makeSite, PUBLIC, randomInput, startGatewayProcess, startStranger, talk,
	type Site,
} from '../support/gateway-site.ts'
import { makeGenerator } from '../support/generator.ts'
import { needs } from '../support/needs.ts'
import type { Box } from '../support/netns.ts'
import { CLIENT, curvecp, udp4 } from '../support/packets.ts'
import type { Started } from '../support/processes.ts'

const TOOL = resolve('build/out/test/support/wire-tool.js')
const netns = needs('linux', 'root', 'netns', 'ip', 'nft')
const strangers = needs('linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient')

const controlOf = ({ folder }: Site): string => join(folder, 'control.sock')

function start(t: ExecutionContext, site: Site, more = '', target = '10.77.0.2'): Promise<Started> {
	const config = join(site.folder, 'curvegate.toml')
	writeFileSync(config, `schema = 1\n[gateway]\nwan = "wan0"\nlan = "lan0"\n${more}`)
	return startGatewayProcess(t, site, 'nftables',
		['--config', config, '--route', `${EXT_ONE}=${target}`, '--control', controlOf(site)])
}

/** Hellos as the tool takes them. */
function hellos(address: string, count: number, extension = EXT_ONE): string {
	const payload = curvecp(CLIENT, 'H', fromHex(extension, 16)!, new Uint8Array(16), 224)
	const packet = toHex(udp4({ from: address, fromPort: 7, to: PUBLIC, toPort: 4000, payload }))
	return `${packet}\n`.repeat(count)
}

function sender(t: ExecutionContext, site: Site, from: Box): Started {
	return from.start(t, process.execPath, [TOOL, 'send', 'eth0', site.gw.mac('wan0')])
}

/** Hellos from an address, as fast as it goes. */
async function flood(
	t: ExecutionContext, site: Site, from: Box, address: string, count: number, extension = EXT_ONE,
): Promise<void> {
	const tool = sender(t, site, from)
	tool.feed(hellos(address, count, extension))
	await tool.ended
}

interface Counts {
	readonly forwardedIn: number
	readonly drops: Readonly<Record<string, number>>
}

/** The kernel is asked again when its last answer is half a second old. */
async function counted(site: Site, process: Started, enough: (counts: Counts) => boolean,
): Promise<Counts> {
	let counts: Counts = { forwardedIn: 0, drops: {} }
	await process.until(() => {
		const { stdout } = runCurvegate(['status', '--json', '--control', controlOf(site)])
		counts = JSON.parse(stdout).gateway
		return enough(counts)
	}, 'the counts')
	return counts
}

for (const target of ['10.77.0.2', '10.78.0.2', '10.77.0.2:5000']) {
	netns(`limits to ${target}: none in quiet times, then a source has its rate and no more`,
		async (t) => {
		const site = makeSite(t)
		site.one.ip('addr add 10.78.0.2/32 dev lo')
		site.gw.ip('route add 10.78.0.0/24 via 10.77.0.2')
		// Nobody listens there, and nobody says so.
		site.one.run('nft', 'add table ip sink; add chain ip sink in { type filter hook prerouting '
			+ 'priority -300; }; add rule ip sink in udp dport { 4000, 5000 } drop')
		const gateway = await start(t, site, 'source-rate = 100\n', target)
		const rules = (): string => site.gw.run('nft', 'list', 'ruleset')
		t.notRegex(rules(), /update @sources/)
		const limited = (): boolean => /update @sources/.test(rules())
		// Half of a rate within a second, and no more than the bucket holds if it comes meanwhile; what
		// two looks share is less than half for each of them, and it takes another flood.
		let quiet = 0
		for (; !limited(); quiet += 60) {
			await flood(t, site, site.away, '192.0.2.2', 60)
			for (let i = 0; i < 100 && !limited(); i++) await pause(100)
		}
		const { forwardedIn } = await counted(site, gateway, (counts) => counts.forwardedIn >= quiet)
		t.is(forwardedIn, quiet)
		await flood(t, site, site.far, '192.0.2.3', 20)
		let all = 20
		let rate = 0
		let sent = 0
		// Until they are noticed: the limits may have gone again meanwhile.
		while (rate < 100) {
			await flood(t, site, site.away, '192.0.2.2', 1000)
			all += 1000
			const { drops, forwardedIn: now } = await counted(site, gateway, (counts) =>
				counts.forwardedIn - quiet + (counts.drops['rate'] ?? 0) >= all)
			rate = drops['rate'] ?? 0
			sent = now - quiet
			t.is(rate + sent, all, 'each is sent on or counted')
		}
		t.true(sent >= 20 + 25, `${sent} of ${all}`)
		if (target !== '10.77.0.2') return
		// When all is quiet again no packet pays any more.
		await gateway.until(() => !limited(), 'quiet')
		await flood(t, site, site.far, '192.0.2.3', 45)
		await counted(site, gateway, (counts) => counts.forwardedIn === quiet + sent + 45)
	})
}

netns('each route\'s packets are read back from the kernel', async (t) => {
	const site = makeSite(t)
	site.one.ip('addr add 10.78.0.2/32 dev lo')
	site.gw.ip('route add 10.78.0.0/24 via 10.77.0.2')
	const targets = ['10.77.0.2', '10.77.0.3', '10.78.0.2', '10.77.0.2:5000', ':4001']
	const extensions = targets.map((_, i) => `0${i}`.repeat(16))
	await startGatewayProcess(t, site, 'nftables', [
		...targets.flatMap((target, i) => ['--route', `${extensions[i]!}=${target}`]),
		'--control', controlOf(site),
	])
	for (const [i, extension] of extensions.entries()) {
		await flood(t, site, site.away, '192.0.2.2', 10 + i, extension)
	}
	const client = new ControlClient(controlOf(site))
	const page = await client.ask('routes') as RoutePage
	client.close()
	t.deepEqual(page.routes.map(({ target, packets }) => `${target} ${packets}`).sort(),
		targets.map((target, i) => `${target} ${10 + i}`).sort())
})

netns('the kernel\'s counters are read without its elements', async (t) => {
	const site = makeSite(t)
	const routes = join(site.folder, 'routes')
	writeFileSync(routes, Array.from({ length: 50_000 }, (_, i) =>
		`${extensionOf(i)} 10.77.0.2\n`).join(''))
	const gateway = await start(t, site, `routes = "${routes}"\n`)
	const script = `const { readFileSync } = await import('node:fs')
		const nft = await import('${resolve('build/out/src/platform/nft.js')}')
		const name = 'curvegate_wan0_${gateway.pid}'
		const cpuTicks = () => {
			const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')
			return Number(fields[13]) + Number(fields[14])
		}
		for (const ask of [() => nft.nftOwnTables('wan0'), () => nft.nftCounters(name),
			() => nft.nftFilters(), () => nft.nftRouteCounters(name)]) {
			const before = cpuTicks()
			ask()
			console.log(cpuTicks() - before)
		}`
	const output = site.gw.run(process.execPath, '--input-type=module', '-e', script)
	// Ticks of nft's processor time, which no other load changes much.
	const ticks = output.trim().split('\n').map(Number)
	t.log(ticks.join(', '))
	const all = ticks.pop()!
	t.true(all >= 10, `${all} ticks are enough to tell`)
	for (const one of ticks) t.true(one < all / 2, `${one} ticks, and ${all} with all elements`)
})

netns('reloads under traffic lose not one packet: routes, new rules, limits that come and go',
	async (t) => {
	const site = makeSite(t)
	const routes = join(site.folder, 'routes')
	const write = (i: number): void => {
		const others = Array.from({ length: 50 * i }, (_, k) =>
			`${extensionOf(k)} 10.77.0.3\n`)
		// With a direct server the rules are others.
		const direct = i % 2 === 0 ? '' : `${'d'.repeat(32)} mac:02:00:00:00:00:05\n`
		writeFileSync(routes, others.join('') + direct)
	}
	write(0)
	site.one.run('nft', 'add table ip sink; add chain ip sink in { type filter hook prerouting '
		+ 'priority -300; }; add rule ip sink in udp dport 4000 counter drop')
	// The limits come, and are far away.
	const gateway = await start(t, site, `source-rate = 10000\nroutes = "${routes}"\n`)
	const tool = sender(t, site, site.away)
	let sent = 0
	for (let reloads = 1; reloads <= 12; reloads++) {
		write(reloads)
		gateway.signal('SIGHUP')
		// Packets come as long as the reload takes, however long that is.
		await gateway.until(() => {
			tool.child.stdin?.write(hellos('192.0.2.2', 64))
			sent += 64
			return gateway.stderr().match(/info routes/g)?.length === reloads
		}, 'the reload')
	}
	tool.feed('')
	await tool.ended
	t.is(tool.stdout().toString(), '{}\n', tool.stderr())
	const { forwardedIn, drops } = await counted(site, gateway, (counts) =>
		counts.forwardedIn + (counts.drops['rate'] ?? 0) >= sent)
	t.log(`${sent} packets, ${drops['rate'] ?? 0} beyond the limit`)
	t.is(forwardedIn + (drops['rate'] ?? 0), sent)
	const sunk = /counter packets (\d+)/.exec(site.one.run('nft', 'list', 'table', 'ip', 'sink'))![1]
	t.is(Number(sunk), forwardedIn, 'what was sent on has arrived')
})

netns('keys of sealed extensions rotate under traffic, and not one packet is lost', async (t) => {
	const site = makeSite(t)
	const keys = join(site.folder, 'seal')
	runCurvegate(['seal', 'new', keys])
	const sealed = new Uint8Array(16)
	new Sealer(readSealKeys(keys)).seal(sealed, 0, 0, 2, makeGenerator(4))
	site.one.run('nft', 'add table ip sink; add chain ip sink in { type filter hook prerouting '
		+ 'priority -300; }; add rule ip sink in udp dport 4000 counter drop')
	const gateway = await startGatewayProcess(t, site, 'nftables',
		['--allow', '10.77.0.0/24', '--seal-keys', keys])
	const sunk = (): number => Number(/counter packets (\d+)/.exec(
		site.one.run('nft', 'list', 'table', 'ip', 'sink'))![1])
	const tool = sender(t, site, site.away)
	let sent = 0
	const send = (): void => {
		tool.child.stdin?.write(hellos('192.0.2.2', 32, toHex(sealed)))
		sent += 32
	}
	await gateway.until(() => {
		send()
		return sunk() > 0
	}, 'the first packets')
	for (let reloads = 1; reloads <= 3; reloads++) {
		// After one turn the extension is of the old epoch, which is valid too.
		if (reloads === 1) runCurvegate(['seal', 'rotate', keys])
		gateway.signal('SIGHUP')
		await gateway.until(() => {
			send()
			return gateway.stderr().match(/info routes/g)?.length === reloads
		}, 'the reload')
	}
	tool.feed('')
	await tool.ended
	t.is(tool.stdout().toString(), '{}\n', tool.stderr())
	await gateway.until(() => sunk() >= sent, `${sent} packets, ${sunk()} have come`)
	t.is(sunk(), sent)
})

strangers('others\' filters are not passed by', async (t) => {
	const site = makeSite(t)
	site.gw.run('nft', 'add table inet fw; add chain inet fw f { type filter hook forward '
		+ 'priority 0; }; add rule inet fw f ip daddr 10.77.0.2 counter')
	const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
	const gateway = await start(t, site)
	t.regex(gateway.stderr(), /no short way .* segment of lan0: it would pass by table inet fw/)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, one.publicKey, EXT_ONE, input)).equals(input))
	t.regex(site.gw.run('nft', 'list', 'table', 'inet', 'fw'), /counter packets [1-9]/)
})

strangers('a segment whose packets are too short is routed to', async (t) => {
	const site = makeSite(t)
	site.gw.ip('link set lan0 mtu 1000')
	const gateway = await start(t, site)
	t.regex(gateway.stderr(), /no short way .* segment of lan0: its MTU is 1000/)
})

strangers('where the kernel looks at sources, so do the rules', async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.conf.wan0.rp_filter', '1')
	const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
	const gateway = await start(t, site)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, one.publicKey, EXT_ONE, input)).equals(input))
	await flood(t, site, site.away, '10.77.0.3', 10)
	const { drops } = await counted(site, gateway, (counts) => counts.drops['policy'] === 10)
	t.is(drops['policy'], 10, 'from the Internet under a local address')
})
