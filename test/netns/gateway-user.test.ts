// `curvegate gateway` as another user (drawing: test/support/gateway-site.ts): every thread has
// given root up once the ports and rules are there, and what the datapath needs afterwards, nft and
// ip among it, still works.

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
	EXT_ONE, EXT_TWO, launchGateway, makeSite, randomInput, shownByNft, startGatewayProcess,
	startStranger, talk, type Site,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'
import { checkRights } from '../support/rights.ts'

const THINGS = ['linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient']

/** The flags of a gateway for nobody; the reload reads the file with no more rights than those. */
function configure(site: Site, user: string, more: readonly string[] = []): string[] {
	const config = join(site.folder, 'curvegate.toml')
	const routes = join(site.folder, 'routes')
	chmodSync(site.folder, 0o755)
	writeFileSync(routes, [`${EXT_ONE} 10.77.0.2`, ...more, ''].join('\n'))
	writeFileSync(config, `schema = 1\nuser = "${user}"\n[gateway]\nwan = "wan0"\nlan = "lan0"\n`
		+ `routes = "${routes}"\n`)
	return ['--config', config, '--control', join(site.folder, 'control.sock')]
}

async function talkTo(t: ExecutionContext, site: Site, extension: string): Promise<void> {
	const [box, address] = extension === EXT_ONE
		? [site.one, '10.77.0.2'] : [site.two, '10.77.0.3']
	const server = await startStranger(t, box, address, 4000, extension)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, server.publicKey, extension, input)).equals(input))
	await server.process.stop()
}

for (const datapath of ['nftables', 'packet', 'raw', 'relay']) {
	needs(...THINGS, ...datapath === 'raw' ? ['raw-socket'] : [])(
		`${datapath} as another user: forwards, learns routes, and leaves nothing`, async (t) => {
		const site = makeSite(t)
		const rules = (): string => site.gw.run('nft', 'list', 'ruleset')
		const before = site.gw.run('ip', 'rule')
		const gateway = await startGatewayProcess(t, site, datapath, configure(site, 'nobody'))
		checkRights(t, gateway.pid)
		await talkTo(t, site, EXT_ONE)
		configure(site, 'nobody', [`${EXT_TWO} 10.77.0.3`])
		gateway.signal('SIGHUP')
		await gateway.untilPrinted(/info routes routes=2 added=1/)
		t.is(rules().includes(shownByNft(EXT_TWO)), datapath === 'nftables')
		await talkTo(t, site, EXT_TWO)
		gateway.signal('SIGTERM')
		t.deepEqual(await gateway.ended, { code: 0, signal: null })
		t.is(rules().trim(), '')
		t.is(site.gw.run('ip', 'rule'), before)
	})
}

needs(...THINGS)('another user\'s gateway still falls back', async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	const gateway = launchGateway(t, site, 'auto', configure(site, 'nobody'))
	await gateway.untilPrinted(/ports .*routes, nftables/)
	site.gw.sysctl('net.ipv4.ip_forward', '0')
	site.gw.run('nft', 'flush', 'ruleset')
	await gateway.untilPrinted(/rules-gone[\s\S]*datapath=packet/)
	checkRights(t, gateway.pid)
	await talkTo(t, site, EXT_ONE)
})

needs(...THINGS)('a user that is not there: nothing is started, nothing is left', async (t) => {
	const site = makeSite(t)
	site.gw.sysctl('net.ipv4.ip_forward', '1')
	const gateway = launchGateway(t, site, 'nftables', configure(site, 'nobody-of-this-name'))
	t.deepEqual(await gateway.ended, { code: 111, signal: null })
	t.regex(gateway.stderr(), /unable to become nobody-of-this-name: no such user/)
	t.is(site.gw.run('nft', 'list', 'ruleset').trim(), '')
})
