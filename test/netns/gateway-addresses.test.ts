// Addresses and interfaces that change under a running gateway (drawing:
// test/support/gateway-site.ts): DHCP gives another public address, networks and interfaces of the
// LAN come and go, a server's address becomes the gateway's own.

import type { ExecutionContext } from 'ava'
import {
	EXT_ONE, EXT_TWO, makeSite, randomInput, startGatewayProcess, startStranger, talk, type Site,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'

const THINGS = ['linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient']
const DATAPATHS = ['nftables', 'packet', 'raw', 'relay'] as const
const MOVED = '192.0.2.9'

const thingsOf = (datapath: string): string[] =>
	datapath === 'raw' ? [...THINGS, 'raw-socket'] : THINGS

async function talkTo(
	t: ExecutionContext, site: Site, server: string, at?: string,
): Promise<void> {
	const { publicKey, process } = await startStranger(t, site.one, server, 4000, EXT_ONE)
	const input = randomInput(10_000)
	t.true((await talk(t, site.away, publicKey, EXT_ONE, input, at)).equals(input))
	await process.stop()
}

const rulesOf = ({ gw }: Site): string => gw.run('nft', 'list', 'ruleset')

for (const datapath of DATAPATHS) {
	needs(...thingsOf(datapath))(`${datapath}: another public address is followed`, async (t) => {
		const site = makeSite(t)
		const gateway =
			await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
		site.gw.ip('addr del 192.0.2.1/24 dev wan0')
		site.gw.ip(`addr add ${MOVED}/24 dev wan0`)
		await gateway.untilPrinted(/addresses address=192\.0\.2\.9 [\s\S]*gateway datapath=/)
		await talkTo(t, site, '10.77.0.2', MOVED)
		if (datapath === 'nftables') t.notRegex(rulesOf(site), /192\.0\.2\.1[^0-9]/)
	})
}

needs(...THINGS)('--address is what it was given, whatever the interface has', async (t) => {
	const site = makeSite(t)
	const gateway = await startGatewayProcess(t, site, 'nftables',
		['--address', '192.0.2.1', '--route', `${EXT_ONE}=10.77.0.2`])
	site.gw.ip(`addr add ${MOVED}/24 dev wan0`)
	await gateway.untilPrinted(/addresses address=192\.0\.2\.1 /)
	await talkTo(t, site, '10.77.0.2')
})

needs(...THINGS)('nftables: networks of the LAN come and go, and with them the short way',
	async (t) => {
	const site = makeSite(t)
	const gateway =
		await startGatewayProcess(t, site, 'nftables', ['--route', `${EXT_ONE}=10.79.0.2`])
	const near = (): string => site.gw.run('nft', 'list', 'map', 'netdev',
		`curvegate_wan0_${gateway.pid}`, 'near')
	t.notRegex(near(), /10\.79\.0\.2/)
	site.one.ip('addr add 10.79.0.2/24 dev eth0')
	site.gw.ip('addr add 10.79.0.1/24 dev lan0')
	await gateway.untilPrinted(/addresses [\s\S]*gateway datapath=/)
	t.regex(near(), /10\.79\.0\.2/)
	await talkTo(t, site, '10.79.0.2')
	site.gw.ip('addr del 10.79.0.1/24 dev lan0')
	await gateway.untilPrinted(/addresses [\s\S]*addresses [\s\S]*gateway datapath=/)
	t.notRegex(near(), /10\.79\.0\.2/)
})

needs(...THINGS)('nothing is forwarded to an address while it is the gateway\'s own', async (t) => {
	const site = makeSite(t)
	const gateway = await startGatewayProcess(t, site, 'nftables',
		['--route', `${EXT_ONE}=10.77.0.2`, '--route', `${EXT_TWO}=10.77.0.3`])
	site.gw.ip('addr add 10.77.0.3/24 dev lan0')
	await gateway.untilPrinted(/addresses .*withdrawn=1 restored=0/)
	await gateway.until(() => !rulesOf(site).includes('10.77.0.3'), 'its withdrawal')
	await talkTo(t, site, '10.77.0.2')
	site.gw.ip('addr del 10.77.0.3/24 dev lan0')
	await gateway.untilPrinted(/addresses .*withdrawn=0 restored=1/)
	await gateway.until(() => rulesOf(site).includes('10.77.0.3'), 'its return')
})

for (const datapath of ['nftables', 'packet', 'raw'] as const) {
	needs(...thingsOf(datapath))(`${datapath}: an interface that goes and comes back is used again`,
		async (t) => {
		const site = makeSite(t)
		const gateway =
			await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
		await talkTo(t, site, '10.77.0.2')
		site.gw.ip('link del lan0')
		await gateway.untilPrinted(/interface lan0 is gone: waiting for it/)
		site.network.join(site.gw, 'lan0', site.lan, '10.77.0.1/24', 'fd00:77::1/64')
		await gateway.untilPrinted(/is gone[\s\S]*gateway datapath=/)
		await talkTo(t, site, '10.77.0.2')
	})
}
