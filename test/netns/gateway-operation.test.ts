// Operation of the gateway in namespaces (drawing: test/support/gateway-site.ts): reloads, what is
// left after a kill, others' tables, falling back, missing privileges, sealed extensions learnt by
// the kernel, ICMP errors.

import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fromHex, toHex } from '../../src/base/hex.ts'
import { Sealer } from '../../src/gateway/sealed.ts'
import { readSealKeys } from '../../src/platform/sealdir.ts'
import {
	EXT_ONE, EXT_TWO, extensionOf, launchGateway, makeSite, PUBLIC, randomInput, shownByNft,
	startGatewayProcess, startStranger, talk,
} from '../support/gateway-site.ts'
import { makeGenerator } from '../support/generator.ts'
import { findProgram, needs } from '../support/needs.ts'
import type { Box } from '../support/netns.ts'
import type { Started } from '../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')

const netns = needs('linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient')
const dumped = needs('linux', 'root', 'netns', 'ip', 'nft', 'socat', 'tcpdump')
const hidden = needs('linux', 'root', 'netns', 'ip', 'nft', 'unshare')
const lowered = needs('linux', 'root', 'netns', 'ip', 'nft', 'setpriv')

function tables(box: Box): string[] {
	return box.run('nft', 'list', 'tables').trim().split('\n').filter((line) => line !== '').sort()
}

/** When the fact holds, as the gateway's process lives on. */
async function until(gateway: Started, fact: () => boolean, what: string): Promise<void> {
	await gateway.until(fact, what)
}

netns('after kill -9 the next start removes what was left, and nobody else\'s table', async (t) => {
	const site = makeSite(t)
	site.gw.run('nft', 'add', 'table', 'ip', 'somebody')
	site.gw.run('nft', 'add', 'table', 'ip', 'curvegate_wan1_1')
	const routes = ['--route', `${EXT_ONE}=10.77.0.2`]
	const killed = await startGatewayProcess(t, site, 'nftables', routes)
	const before = tables(site.gw)
	t.is(before.length, 4)
	killed.signal('SIGKILL')
	await killed.ended
	t.deepEqual(tables(site.gw), before, 'the kernel forwards on')
	const next = await startGatewayProcess(t, site, 'nftables', routes)
	const after = tables(site.gw)
	t.is(after.length, 4)
	t.notDeepEqual(after, before)
	next.signal('SIGTERM')
	await next.ended
	t.deepEqual(tables(site.gw), ['table ip curvegate_wan1_1', 'table ip somebody'])
})

needs('linux', 'root', 'netns', 'ip', 'raw-socket')(
	'raw: after kill -9 the next start removes the rules that were left', async (t) => {
	const site = makeSite(t)
	const rules = (): number => site.gw.run('ip', 'rule').match(/lookup 43117/g)?.length ?? 0
	for (const ports of [['5000', '5001'], []]) {
		const routes = ['10.77.0.2', ...ports.map((port) => `10.77.0.3:${port}`)]
		const gateway = await startGatewayProcess(t, site, 'raw', routes.flatMap((target, i) =>
			['--route', `${String(i).repeat(32)}=${target}`]))
		t.is(rules(), routes.length)
		gateway.signal('SIGKILL')
		await gateway.ended
		t.is(rules(), routes.length, 'they are left')
	}
	const last = await startGatewayProcess(t, site, 'raw', ['--route', `${EXT_ONE}=10.77.0.2`])
	last.signal('SIGTERM')
	await last.ended
	t.is(rules(), 0)
})

hidden('without nft: says so, and takes packet sockets', async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	const rest = ['gateway', '--wan', 'wan0', '--lan', 'lan0', '--route', `${EXT_ONE}=10.77.0.2`]
	const hide = 'mount -t tmpfs none /usr/sbin && exec "$@"'
	for (const [datapath, said] of [['auto', /routes, packet \(not nftables: nft is not installed/],
		['nftables', /unable to start datapath nftables: .*nft is not installed/]] as const) {
		const gateway = site.gw.start(t, 'unshare', ['--mount', 'sh', '-c', hide, 'sh',
			process.execPath, MAIN, ...rest, '--datapath', datapath])
		t.regex(await gateway.untilPrinted(said), said)
		await gateway.stop()
	}
})

hidden('a kernel that cannot be asked for a while is asked again, and forwards meanwhile',
	async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	const [nft, wrapper, busy] = ['nft', 'wrapper', 'busy'].map((name) => join(site.folder, name))
	copyFileSync(findProgram('nft')!, nft!)
	writeFileSync(wrapper!, `#!/bin/sh\n[ -e ${busy} ] && { echo it is busy >&2; exit 1; }\n`
		+ `exec ${nft} "$@"\n`, { mode: 0o755 })
	const hide = `mount -t tmpfs none /usr/sbin && cp ${wrapper} /usr/sbin/nft && exec "$@"`
	const gateway = site.gw.start(t, 'unshare', ['--mount', 'sh', '-c', hide, 'sh', process.execPath,
		MAIN, 'gateway', '--wan', 'wan0', '--lan', 'lan0', '--route', `${EXT_ONE}=10.77.0.2`])
	await gateway.untilPrinted(/routes, nftables/)
	writeFileSync(busy!, '')
	await gateway.untilPrinted(/warn gateway note="unable to ask nft: it is busy"/)
	t.is(tables(site.gw).length, 2, 'it forwards on')
	site.gw.run('nft', 'flush', 'ruleset')
	rmSync(busy!)
	await gateway.untilPrinted(/rules-gone/)
	await gateway.until(() => tables(site.gw).length === 2, 'the tables')
})

netns('a reload sends differences only, and refuses a wrong file whole', async (t) => {
	const site = makeSite(t)
	const file = join(site.folder, 'routes')
	const line = (i: number): string => `${extensionOf(i)} 10.77.0.3`
	const write = (n: number): void =>
		writeFileSync(file,
			[`${EXT_ONE} 10.77.0.2`, ...Array.from({ length: n }, (_, i) => line(i)), ''].join('\n'))
	write(100)
	const gateway = await startGatewayProcess(t, site, 'nftables', ['--routes', file])
	const monitor = site.gw.start(t, 'nft', ['monitor', 'elements'])
	const told = (): number =>
		monitor.stdout().toString().match(/ element \S+ curvegate_/g)?.length ?? 0
	// It listens once it tells of somebody's element.
	site.gw.run('nft', 'add table ip other { set s { type mark; } ; }')
	await monitor.until(() => {
		site.gw.run('nft', 'add element ip other s { 1 }; delete element ip other s { 1 }')
		return monitor.stdout().length > 0
	}, 'the monitor')
	for (let i = 1; i <= 5; i++) {
		write(100 + i)
		gateway.signal('SIGHUP')
		await gateway.untilPrinted(new RegExp(`routes=${101 + i} added=1 changed=0 removed=0`))
		await monitor.until(() => told() >= i, 'the element')
		t.is(told(), i, 'that one, and nothing else')
	}
	writeFileSync(file, `${EXT_ONE} 10.77.0.2\n${EXT_TWO} 127.0.0.1\n`)
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(/error reload .*loopback.*line=2/)
	t.is(site.gw.run('nft', 'list', 'ruleset').match(/10\.77\.0\.3/g)?.length, 106, 'as it was')
})

netns('rules that somebody flushed come back', async (t) => {
	const site = makeSite(t)
	const gateway =
		await startGatewayProcess(t, site, 'nftables', ['--route', `${EXT_ONE}=10.77.0.2`])
	site.gw.run('nft', 'flush', 'ruleset')
	await gateway.untilPrinted(/rules-gone/)
	await until(gateway, () => tables(site.gw).length === 2, 'the tables')
	const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, one.publicKey, EXT_ONE, input)).equals(input))
})

netns('auto takes packet sockets when forwarding is off, and falls back to them in operation',
	async (t) => {
	const site = makeSite(t)
	const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
	const first = await startGatewayProcess(t, site, 'auto', ['--route', `${EXT_ONE}=10.77.0.2`])
	t.regex(first.stdout().toString(), /packet \(not nftables: net\.ipv4\.ip_forward is off/)
	first.signal('SIGTERM')
	await first.ended
	site.gw.sysctl('net.ipv4.ip_forward', '0')
	const second = await startGatewayProcess(t, site, 'auto',
		['--route', `${EXT_ONE}=10.77.0.2`, '--apply-sysctl'])
	t.regex(second.stdout().toString(), /nftables \(the fastest/)
	// Its rules go, and so does what they need: the next best takes over.
	site.gw.sysctl('net.ipv4.ip_forward', '0')
	site.gw.run('nft', 'flush', 'ruleset')
	await second.untilPrinted(/rules-gone[\s\S]*datapath=/)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, one.publicKey, EXT_ONE, input)).equals(input))
})

lowered('without privileges: which are missing, and the relay', async (t) => {
	const site = makeSite(t)
	chmodSync(site.folder, 0o755)
	const gateway = site.gw.start(t, 'setpriv', [
		'--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath,
		MAIN, 'gateway', '--wan', 'wan0', '--lan', 'lan0',
		'--route', `${EXT_ONE}=10.77.0.2`,
	])
	const text = await gateway.untilPrinted(/relay \(.*\)/)
	t.regex(text, /not nftables: /)
	t.regex(text, /CAP_NET_RAW/)
})

netns('sealed extensions: learnt by the kernel, rotation and revocation under traffic',
	async (t) => {
	const site = makeSite(t)
	const keys = join(site.folder, 'seal')
	const seal = (verb: string): string => site.gw.run(process.execPath, MAIN, 'seal', verb, keys)
	seal('new')
	const make = (): string => {
		const extension = new Uint8Array(16)
		new Sealer(readSealKeys(keys)).seal(extension, 0, 0, 2, makeGenerator(7))
		return toHex(extension)
	}
	const old = make()
	const one = await startStranger(t, site.one, '10.77.0.2', 4000, old)
	const gateway = await startGatewayProcess(t, site, 'nftables',
		['--allow', '10.77.0.0/24', '--seal-keys', keys])
	const input = randomInput(200_000)
	const talking = talk(t, site.away, one.publicKey, old, input)
	const learnt = (): string => site.gw.run('nft', 'list', 'ruleset')
	await until(gateway, () => learnt().includes(`${shownByNft(old)} `), 'the kernel to learn')
	seal('rotate')
	gateway.signal('SIGHUP')
	t.true((await talking).equals(input), 'both epochs are valid')
	await gateway.untilPrinted(/info routes/)
	const fresh = make()
	t.is(fromHex(fresh, 16)![0]! >> 5, 1)
	seal('revoke')
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(/info routes[\s\S]*info routes/)
	t.false(learnt().includes(shownByNft(old)), 'nothing of the old epoch stays')
	await one.process.stop()
	const again = await startStranger(t, site.one, '10.77.0.2', 4000, fresh)
	t.true((await talk(t, site.away, again.publicKey, fresh, input)).equals(input))
})

for (const datapath of ['packet', 'raw']) {
	const needed = datapath === 'raw' ? ['raw-socket'] : []
	needs('linux', 'root', 'netns', 'ip', ...needed)(
		`${datapath}: says that the kernel forwards beside it, and how to stop that`, async (t) => {
		const site = makeSite(t)
		for (const [value, said] of [['1', /is on, .*; cure: sysctl -w net\.ipv4\.ip_forward=0\)/],
			['0', /\(asked for\)/]] as const) {
			site.gw.sysctl('net.ipv4.ip_forward', value)
			const gateway = launchGateway(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
			t.regex(await gateway.untilPrinted(/ports .*routes, .*/), said)
			await gateway.stop()
		}
	})
}

for (const datapath of ['nftables', 'packet']) {
	dumped(`${datapath}: an error from a server names the public address only`, async (t) => {
		const site = makeSite(t)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
		const dump = site.away.start(t, 'tcpdump', ['-l', '-n', '-i', 'eth0', '-c', '1', 'icmp[0] = 3'])
		await dump.untilPrinted(/listening on/)
		const hello = `QvnQ5XlH${fromHexText(EXT_ONE)}`.padEnd(224, '\0')
		const file = join(site.folder, 'hello')
		writeFileSync(file, hello, 'latin1')
		// Nobody listens on `one`: its kernel says so.
		for (let i = 0; dump.running && i < 300; i++) {
			site.away.try('sh', '-c', `socat -u FILE:${file} UDP4-SENDTO:${PUBLIC}:4000`)
			await Promise.race([dump.ended, pause(100)])
		}
		await dump.stop()
		t.regex(dump.stdout().toString(),
			/IP 192\.0\.2\.1 > 192\.0\.2\.2: ICMP 192\.0\.2\.1 udp port 4000 unreachable/)
	})
}

function fromHexText(hex: string): string {
	return String.fromCharCode(...fromHex(hex, 16)!)
}
