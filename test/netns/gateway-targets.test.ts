// Every kind of target, NaCl's programs at both ends (drawing: test/support/gateway-site.ts), and
// clients behind the gateway. `dsr` stands on both segments and holds the public address on its
// loopback: it answers directly.
//
//   away ─┬─ Internet ─ wan0 gw lan0 ─ LAN ─┬─ one, two
//   dsr ──┘ (eth1)                          └─ dsr (eth0)

import {
	EXT_ONE, EXT_TWO, makeSite, PUBLIC, randomInput, startGatewayProcess, startStranger, talk,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'

const strangers =
	needs('linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient')
const relayed = needs(
	'linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient', 'socat', 'unshare',
)
const BYTES = 50_000

for (const datapath of ['nftables', 'packet']) {
	strangers(`${datapath}: three servers on the gateway itself, one on its own port`, async (t) => {
		const site = makeSite(t)
		const servers = await Promise.all([4000, 4001, 4002].map((port) =>
			startStranger(t, site.gw, PUBLIC, port, String(port).repeat(8))))
		await startGatewayProcess(t, site, datapath, [4000, 4001, 4002].flatMap((port) =>
			['--route', `${String(port).repeat(8)}=:${port}`]))
		const input = randomInput(BYTES)
		const back = await Promise.all(servers.map(({ publicKey }, i) =>
			talk(t, site.away, publicKey, String(4000 + i).repeat(8), input)))
		for (const output of back) t.true(output.equals(input), `${output.length} bytes`)
	})

	strangers(`${datapath}: a server that answers directly, by its MAC`, async (t) => {
		const site = makeSite(t)
		const dsr = site.network.box('dsr')
		site.network.join(dsr, 'eth0', site.lan, '10.77.0.4/24')
		site.network.join(dsr, 'eth1', site.internet, '192.0.2.9/24')
		dsr.ip(`addr add ${PUBLIC}/32 dev lo`)
		for (const name of ['all', 'eth0', 'eth1']) {
			dsr.sysctl(`net.ipv4.conf.${name}.arp_ignore`, '1')
			dsr.sysctl(`net.ipv4.conf.${name}.arp_announce`, '2')
			dsr.sysctl(`net.ipv4.conf.${name}.rp_filter`, '0')
		}
		const server = await startStranger(t, dsr, PUBLIC, 4000, EXT_ONE)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=mac:${dsr.mac('eth0')}`])
		const input = randomInput(BYTES)
		const output = await talk(t, site.away, server.publicKey, EXT_ONE, input)
		t.true(output.equals(input), `${output.length} bytes`)
	})

	relayed(`${datapath}: two clients behind one public address and port, by their extension`,
		async (t) => {
			const site = makeSite(t)
			const server = await startStranger(t, site.far, '192.0.2.3', 4000, EXT_ONE)
			await startGatewayProcess(t, site, datapath,
				['--route', `${EXT_ONE}=10.77.0.2`, '--route', `${EXT_TWO}=10.77.0.3`])
			const input = randomInput(BYTES)
			const clients = [[site.one, EXT_ONE], [site.two, EXT_TWO]] as const
			const back = await Promise.all(clients.map(([box, extension]) => {
				// NaCl's client takes any free port: there is only one. Its own extension comes from /etc.
				box.sysctl('net.ipv4.ip_local_port_range', '"4000 4000"')
				return talk(t, box, server.publicKey, EXT_ONE, input, '192.0.2.3', 4000, extension)
			}))
			for (const output of back) t.true(output.equals(input), `${output.length} bytes`)
		})
}

for (const datapath of ['nftables', 'packet', 'relay']) {
	relayed(`${datapath}: a server that has only IPv6`, async (t) => {
		const site = makeSite(t)
		// NaCl's server knows IPv4 only: socat stands before it.
		const server = await startStranger(t, site.two, '127.0.0.1', 4001, EXT_TWO)
		const socat = site.two.start(t, 'socat',
			['UDP6-LISTEN:4000,ipv6only=1,fork', 'UDP4:127.0.0.1:4001'])
		await site.two.untilBound(socat, 4000)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_TWO}=[fd00:77::3]`])
		const input = randomInput(BYTES)
		const output = await talk(t, site.away, server.publicKey, EXT_TWO, input)
		t.true(output.equals(input), `${output.length} bytes`)
	})
}
