// Our own client and server with the gateway between them, every datapath (drawing:
// test/support/gateway-site.ts): trains of datagrams that the sender's kernel does not cut up, both
// ways, while the client moves from one address to the next.

import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import {
	EXT_ONE, makeSite, PUBLIC, randomInput, startGatewayProcess,
} from '../support/gateway-site.ts'
import { inTurn } from '../support/needs.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const NEEDS = ['linux', 'root', 'netns', 'ip', 'nft']
const BYTES = 2_000_000

/** Servers in the local segment, and one that is reached by a router there. */
const PLACES = [['nftables', '10.77.0.2'], ['nftables', '10.78.0.2'], ['packet', '10.77.0.2'],
	['raw', '10.77.0.2'], ['relay', '10.77.0.2']] as const

for (const [datapath, target] of PLACES) {
	const more = datapath === 'raw' ? ['raw-socket'] : []
	const title = `${datapath}: ${BYTES / 1e6} MB there and back by ${target}, through a move`
	inTurn(...NEEDS, ...more)(title, async (t) => {
		const site = makeSite(t)
		site.one.ip('addr add 10.78.0.2/32 dev lo')
		site.gw.ip('route add 10.78.0.0/24 via 10.77.0.2')
		const keys = join(site.folder, 'keys')
		const publicKey = site.one.run(process.execPath, MAIN, 'keygen', keys).trim()
		const server = site.one.start(t, process.execPath, [MAIN, 'server', '--keys', keys,
			'--listen', `${target}:4000`, '--extension', EXT_ONE, '--serve', 'pi=echo'])
		await server.untilPrinted(/^curvecp:\S+$/m)
		const gateway =
			await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=${target}`])
		const input = randomInput(BYTES)
		const client = site.away.start(t, process.execPath, [MAIN, 'connect',
			`curvecp://${publicKey}@${PUBLIC}:4000/pi?extension=${EXT_ONE}`])
		const start = performance.now()
		client.feed(input)
		const received = (): number =>
			client.output.stdout.reduce((sum, { length }) => sum + length, 0)
		await client.until(() => received() > BYTES / 3, 'a third of it')
		site.away.ip('addr add 192.0.2.7/24 dev eth0')
		site.away.ip('addr del 192.0.2.2/24 dev eth0')
		site.away.ip('addr add 192.0.2.8/24 dev eth0')
		t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
		const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
		t.is(hash(client.stdout()), hash(input))
		t.is([...server.stderr().matchAll(/ opened /g)].length, 1, 'one connection')
		t.log(`${((2 * BYTES) / 1000 / (performance.now() - start)).toFixed(1)} MB/s`)
		t.true(gateway.running)
	})
}
