// A kernel that refuses rules (drawing: test/support/gateway-site.ts): at every step of a start, in
// a reload, and when rules must be loaded again. What refuses is an nft in front of the real one.

import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { fromHex, toHex } from '../../src/base/hex.ts'
import { runCurvegate } from '../support/curvegate.ts'
import {
	EXT_ONE, EXT_TWO, extensionOf, makeSite, PUBLIC, shownByNft, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { findProgram, needs } from '../support/needs.ts'
import { CLIENT, curvecp, udp4 } from '../support/packets.ts'
import type { Started } from '../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const TOOL = resolve('build/out/test/support/wire-tool.js')
const netns = needs('linux', 'root', 'netns', 'ip', 'nft', 'unshare')
const WORDS = 'Could not process rule: No buffer space available'

/** Refuses calls whose arguments and transaction match the two lines of `refuse`. */
const STUB = `#!/bin/sh
asked=$(mktemp FOLDER/asked.XXXXXX)
{ echo; case "$*" in *'-f -') cat ;; esac; } > $asked
if [ -e FOLDER/refuse ] && echo "$*" | grep -q -- "$(sed -n 1p FOLDER/refuse)" \\
	&& line=$(grep -n -m 1 -- "$(sed -n 2p FOLDER/refuse)" $asked); then
	echo "/dev/stdin:$((\${line%%:*} - 1)):1-9: Error: ${WORDS}" >&2
	exit 1
fi
tail -n +2 $asked | FOLDER/nft "$@"
`

interface Stubborn extends Site {
	/** Nothing is refused without patterns. */
	refuse(call?: string, text?: string): void
	/** A gateway that has this nft. */
	launch(args: readonly string[]): Started
	/** Hellos; how many more have come to `one` when the last of them has. */
	send(extension: string, count: number): Promise<number>
	rules(): string
}

function makeStubborn(t: ExecutionContext): Stubborn {
	const site = makeSite(t)
	const at = (name: string): string => join(site.folder, name)
	copyFileSync(findProgram('nft')!, at('nft'))
	writeFileSync(at('stub'), STUB.replaceAll('FOLDER', site.folder), { mode: 0o755 })
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	for (const box of [site.one, site.two]) {
		box.run('nft', 'add table ip sink; add chain ip sink in { type filter hook prerouting '
			+ 'priority -300; }; add rule ip sink in udp dport 4000 counter drop')
	}
	const sunk = (): number => Number(/counter packets (\d+)/.exec(
		site.one.run('nft', 'list', 'table', 'ip', 'sink'))![1])
	const hide = `mount -t tmpfs none /usr/sbin && cp ${at('stub')} /usr/sbin/nft && exec "$@"`
	return {
		...site,
		refuse: (call, text = '') => {
			if (call === undefined) return rmSync(at('refuse'), { force: true })
			writeFileSync(at('refusing'), `${call}\n${text}\n`)
			renameSync(at('refusing'), at('refuse'))
		},
		launch: (args) => site.gw.start(t, 'unshare', ['--mount', 'sh', '-c', hide, 'sh',
			process.execPath, MAIN, 'gateway', '--wan', 'wan0', '--lan', 'lan0', ...args,
			'--control', at('control.sock')]),
		send: async (extension, count) => {
			const before = sunk()
			const payload =
				curvecp(CLIENT, 'H', fromHex(extension, 16)!, new Uint8Array(16), 224)
			const hello = toHex(udp4(
				{ from: '192.0.2.2', fromPort: 7, to: PUBLIC, toPort: 4000, payload }))
			const tool = site.away.start(t, process.execPath,
				[TOOL, 'send', 'eth0', site.gw.mac('wan0')])
			tool.feed(`${hello}\n`.repeat(count))
			await tool.ended
			t.is(tool.stdout().toString(), '{}\n', tool.stderr())
			return sunk() - before
		},
		rules: () => site.gw.run('nft', 'list', 'ruleset').trim(),
	}
}

interface GatewayFacts {
	readonly datapath: string
	readonly routes: number
	readonly forwardedIn: number
}

function statusOf({ folder }: Site): GatewayFacts {
	const { stdout } = runCurvegate(['status', '--json', '--control', join(folder, 'control.sock')])
	return JSON.parse(stdout).gateway
}

/** Calls that a start makes, and what is then said of the rule. */
const STEPS = [
	['the first question', '^-c', 'curvegate_probe', WORDS],
	['the other tables', '^-j', '', `unable to ask nft: .*${WORDS}`],
	['the check', '^-c', 'chain inward', `unable to load nft rule 'chain inward {': ${WORDS}`],
	['the sets', '^-f', 'map servers', `unable to load nft rule 'map servers .*': ${WORDS}`],
	['the elements', '^-f', '^add element', `unable to load nft rule 'add element .*': ${WORDS}`],
	['the chains', '^-f', 'chain inward', `unable to load nft rule 'chain inward {': ${WORDS}`],
] as const

netns('whatever step is refused: auto says so, takes the next, and leaves no rule', async (t) => {
	const site = makeStubborn(t)
	for (const [step, call, text, said] of STEPS) {
		site.refuse(call, text)
		const gateway = site.launch(['--route', `${EXT_ONE}=10.77.0.2`])
		await gateway.untilPrinted(new RegExp(`routes, packet \\(not nftables: .*${said}`))
		t.is(site.rules(), '', step)
		await site.send(EXT_ONE, 20)
		await gateway.until(() => statusOf(site).forwardedIn >= 20, 'all of them')
		t.is(statusOf(site).forwardedIn, 20, step)
		gateway.signal('SIGTERM')
		t.deepEqual(await gateway.ended, { code: 0, signal: null })
	}
})

netns('whatever step is refused: nftables that was asked for ends with one line', async (t) => {
	const site = makeStubborn(t)
	for (const [step, call, text, said] of STEPS) {
		site.refuse(call, text)
		const gateway =
			site.launch(['--route', `${EXT_ONE}=10.77.0.2`, '--datapath', 'nftables'])
		t.deepEqual(await gateway.ended, { code: 111, signal: null }, step)
		t.regex(gateway.stderr(), new RegExp('^curvegate gateway: fatal: unable to start datapath '
			+ `nftables: .*${said}; cure: .*--datapath auto.*\n$`))
		t.is(site.rules(), '', step)
	}
})

netns('what was half loaded and cannot be removed is named, and so is why', async (t) => {
	const site = makeStubborn(t)
	site.refuse('^-f', 'chain inward\\|^delete')
	const gateway = site.launch(['--route', `${EXT_ONE}=10.77.0.2`, '--datapath', 'nftables'])
	t.deepEqual(await gateway.ended, { code: 111, signal: null })
	t.regex(gateway.stderr(), /rule 'chain inward \{': .*; unable to load nft rule 'delete table/)
	site.refuse()
	const next = site.launch(['--route', `${EXT_ONE}=10.77.0.2`])
	await next.untilPrinted(/routes, nftables/)
	t.notRegex(site.rules(), new RegExp(`curvegate_wan0_${gateway.pid} `), 'the next start does it')
})

netns('only the short way refused: nftables without it, and says so', async (t) => {
	const site = makeStubborn(t)
	site.refuse('^-c', 'hook ingress')
	const gateway = site.launch(['--route', `${EXT_ONE}=10.77.0.2`])
	await gateway.untilPrinted(/no short way to servers .*No buffer space/)
	await gateway.untilPrinted(/routes, nftables/)
	t.notRegex(site.rules(), /hook ingress/)
	await site.send(EXT_ONE, 20)
	await gateway.until(() => statusOf(site).forwardedIn === 20, 'all of them')
	site.refuse('^-f', '^delete')
	gateway.signal('SIGTERM')
	t.deepEqual(await gateway.ended, { code: 111, signal: null })
	t.regex(gateway.stderr(), /unable to load nft rule 'delete table ip .*': .*No buffer space/)
})

netns('rules of a gateway that was killed do not forward beside another datapath', async (t) => {
	const site = makeStubborn(t)
	const killed = site.launch(['--route', `${EXT_ONE}=10.77.0.3`])
	await killed.untilPrinted(/routes, nftables/)
	killed.signal('SIGKILL')
	await killed.ended
	site.refuse('^-f', 'map servers')
	const next = site.launch(['--route', `${EXT_ONE}=10.77.0.2`])
	await next.untilPrinted(/routes, packet/)
	t.is(site.rules(), '')
	await site.send(EXT_ONE, 20)
	await next.until(() => statusOf(site).forwardedIn === 20, 'all of them')
	next.signal('SIGKILL')
	await next.ended
	// And if they cannot be removed, that is said.
	site.refuse()
	const third = site.launch(['--route', `${EXT_ONE}=10.77.0.3`])
	await third.untilPrinted(/routes, nftables/)
	third.signal('SIGKILL')
	await third.ended
	site.refuse('^-f')
	const last = site.launch(['--route', `${EXT_ONE}=10.77.0.2`])
	const left = `rules that pid ${third.pid} left forward too`
	await last.untilPrinted(new RegExp(`routes, packet .*${left}`))
})

netns('a reload that is refused changes nothing, and the next one loses nothing', async (t) => {
	const site = makeStubborn(t)
	const routes = join(site.folder, 'routes')
	const write = (...lines: readonly string[]): void =>
		writeFileSync(routes, `${lines.join('\n')}\n`)
	write(`${EXT_ONE} 10.77.0.2`, `${EXT_TWO} 10.77.0.2:4000`)
	const gateway = site.launch(['--routes', routes, '--datapath', 'nftables'])
	await gateway.untilPrinted(/routes, nftables/)
	const before = site.rules()
	const reload = async (said: RegExp): Promise<void> => {
		const seen = gateway.stderr().length
		gateway.signal('SIGHUP')
		await gateway.until(() => said.test(gateway.stderr().slice(seen)), String(said))
	}
	const refused = /error reload message=".*No buffer space.*" kept="the 2 routes in force"/
	// A route that goes, one that changes, one that comes; with a direct server other rules as well.
	const fresh = [`${EXT_ONE} 10.77.0.3`, `${'3'.repeat(32)} 10.77.0.2`]
	const direct = `${'d'.repeat(32)} mac:02:00:00:00:00:05`
	for (const [text, lines] of [['element', fresh], ['^delete', fresh],
		['chain inward', [...fresh, direct]]] as const) {
		write(...lines)
		site.refuse('^-f', text)
		await reload(refused)
		t.is(site.rules(), before)
		t.is(statusOf(site).routes, 2)
	}
	await site.send(EXT_TWO, 10)
	await gateway.until(() => statusOf(site).forwardedIn === 10, 'an old route')
	site.refuse()
	await reload(/info routes routes=3 added=2 changed=1 removed=1/)
	t.regex(site.rules(), /10\.77\.0\.3/)
	t.regex(site.rules(), /02:00:00:00:00:05/)
	t.notRegex(site.rules(), /0x22222222/)
	// What was refused would be refused again; without it all is well.
	write(...fresh, direct, `${'08'.repeat(16)} 10.77.0.8`, `${'09'.repeat(16)} 10.77.0.9`)
	site.refuse('^-f', '0x09090909')
	await reload(/error reload .*kept="the 3 routes in force"/)
	write(...fresh)
	await reload(/info routes routes=2 added=0 changed=0 removed=1/)
})

netns('a large reload that is refused in its middle: what is in force is known, the rest follows',
	async (t) => {
	const site = makeStubborn(t)
	const routes = join(site.folder, 'routes')
	const write = (count: number): void => writeFileSync(routes, Array.from({ length: count },
		(_, i) => `${extensionOf(i)} 10.77.0.2\n`).join(''))
	const COUNT = 60_000
	write(1)
	const gateway = site.launch(['--routes', routes, '--datapath', 'nftables'])
	await gateway.untilPrinted(/routes, nftables/)
	const held = (): number => site.rules().match(/ : 10\.77\.0\.2/g)?.length ?? 0
	write(COUNT)
	const [last] = shownByNft(extensionOf(COUNT - 1)).split(' ')
	site.refuse('^-f', last!.replace('0x', '0x0*'))
	gateway.signal('SIGHUP')
	const [, kept] = /kept="the (\d+) routes/.exec(
		await gateway.untilPrinted(/error reload .*kept="the \d+ routes in force"/))!
	t.log(`${kept} of ${COUNT}`)
	t.true(Number(kept) > 1 && Number(kept) < COUNT)
	t.deepEqual([held(), statusOf(site).routes], [Number(kept), Number(kept)])
	site.refuse()
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(new RegExp(`routes=${COUNT} added=${COUNT - Number(kept)} `))
	t.is(held(), COUNT)
})

netns('a fence that is refused: the old one stays in force', async (t) => {
	const site = makeStubborn(t)
	const config = join(site.folder, 'curvegate.toml')
	const write = (allow: string): void => writeFileSync(config, 'schema = 1\n[gateway]\n'
		+ `wan = "wan0"\nlan = "lan0"\n[gateway.encoded]\nallow = ["${allow}"]\nports = [4000]\n`)
	write('10.77.0.2/32')
	const gateway = site.launch(['--config', config, '--datapath', 'nftables'])
	await gateway.untilPrinted(/routes, nftables/)
	const encoded = (octet: string): string => `010a4d00${octet}`.padEnd(32, '0')
	write('10.77.0.3/32')
	site.refuse('^-f', 'chain inward')
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(/error reload .*No buffer space/)
	await site.send(encoded('02'), 10)
	await gateway.until(() => statusOf(site).forwardedIn === 10, 'the old fence')
	site.refuse()
	gateway.signal('SIGHUP')
	await gateway.untilPrinted(/info routes/)
	t.is(await site.send(encoded('02'), 10), 0)
	await site.send(encoded('03'), 10)
	await gateway.until(() => statusOf(site).forwardedIn === 20, 'the new fence')
})

netns('rules that must be loaded again and are refused: another datapath, or until it works',
	async (t) => {
	for (const datapath of ['auto', 'nftables']) {
		const site = makeStubborn(t)
		const gateway = site.launch(['--route', `${EXT_ONE}=10.77.0.2`, '--datapath', datapath])
		await gateway.untilPrinted(/routes, nftables/)
		site.refuse('^-f', 'map servers')
		site.gw.run('nft', 'flush', 'ruleset')
		if (datapath === 'auto') {
			await gateway.untilPrinted(/rules-gone[\s\S]*datapath=packet .*No buffer space/)
			t.is(site.rules(), '')
		} else {
			await gateway.untilPrinted(/rules-gone[\s\S]*error no-datapath .*No buffer space/)
			t.is(statusOf(site).datapath, 'none')
			site.refuse()
			await gateway.untilPrinted(/no-datapath[\s\S]*gateway datapath=nftables/)
			t.is(gateway.stderr().match(/no-datapath/g)?.length, 1, 'said once')
		}
		await site.send(EXT_ONE, 20)
		await gateway.until(() => statusOf(site).forwardedIn >= 20, 'all of them')
		t.is(statusOf(site).forwardedIn, 20)
	}
})

netns('limits that are refused come as soon as they are not', async (t) => {
	const site = makeStubborn(t)
	const config = join(site.folder, 'curvegate.toml')
	writeFileSync(config,
		'schema = 1\n[gateway]\nwan = "wan0"\nlan = "lan0"\nsource-rate = 100\n')
	const gateway = site.launch(['--config', config, '--route', `${EXT_ONE}=10.77.0.2`])
	await gateway.untilPrinted(/routes, nftables/)
	site.refuse('^-f', 'update @sources')
	// Half of a rate within a second, again and again until it is noticed.
	const floodUntil = async (fact: () => boolean): Promise<void> => {
		while (!fact()) await site.send(EXT_ONE, 1000)
	}
	await floodUntil(() => gateway.stderr().includes('rules-refused'))
	t.regex(gateway.stderr(), /error rules-refused .*No buffer space/)
	t.notRegex(site.rules(), /update @sources/)
	site.refuse()
	await floodUntil(() => /update @sources/.test(site.rules()))
})

needs('linux', 'root', 'netns', 'ip', 'nft', 'setpriv')(
	'nftables that was asked for, without CAP_NET_ADMIN: says what is missing', async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	const gateway = site.gw.start(t, 'setpriv', ['--bounding-set', '-net_admin', process.execPath,
		MAIN, 'gateway', '--wan', 'wan0', '--lan', 'lan0', '--route', `${EXT_ONE}=10.77.0.2`,
		'--datapath', 'nftables'])
	t.deepEqual(await gateway.ended, { code: 111, signal: null })
	t.regex(gateway.stderr(), /not permitted.*; cure: .*CAP_NET_ADMIN.*--datapath auto.*\n$/)
	t.is(gateway.stderr().trim().split('\n').length, 1)
	const next = await startGatewayProcess(t, site, 'nftables', ['--route', `${EXT_ONE}=10.77.0.2`])
	t.regex(next.stdout().toString(), /nftables/)
})
