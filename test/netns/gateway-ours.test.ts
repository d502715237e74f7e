// Our own client and server with the gateway between them, every datapath (drawing:
// test/support/gateway-site.ts): trains of datagrams that the sender's kernel does not cut up, both
// ways, while the client moves from one address to the next.

import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { toHex } from '../../src/base/hex.ts'
import { Sealer } from '../../src/gateway/sealed.ts'
import { readSealKeys } from '../../src/platform/sealdir.ts'
import {
	EXT_ONE, makeSite, PUBLIC, randomInput, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { makeGenerator } from '../support/generator.ts'
import { inTurn } from '../support/needs.ts'
import type { Box } from '../support/netns.ts'
import type { Started } from '../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const NEEDS = ['linux', 'root', 'netns', 'ip', 'nft']
const BYTES = 2_000_000

interface Ours {
	readonly publicKey: string
	readonly process: Started
}

/** Our server in `one`, its service an echo. extension: 32 digits, or any. */
async function serve(
	t: ExecutionContext, site: Site, listen: string, extension: string,
): Promise<Ours> {
	const keys = join(site.folder, 'keys')
	const publicKey = site.one.run(process.execPath, MAIN, 'keygen', keys).trim()
	const server = site.one.start(t, process.execPath, [MAIN, 'server', '--keys', keys,
		'--listen', listen, '--extension', extension, '--serve', 'pi=echo'])
	await server.untilPrinted(/^curvecp:\S+$/m)
	return { publicKey, process: server }
}

/** All of it comes back to a client that moves when it has a third, over one connection. */
async function thereAndBack(
	t: ExecutionContext, site: Site, server: Ours, extension: string,
): Promise<void> {
	const input = randomInput(BYTES)
	const client = site.away.start(t, process.execPath, [MAIN, 'connect',
		`curvecp://${server.publicKey}@${PUBLIC}:4000/pi?extension=${extension}`])
	client.feed(input)
	const received = (): number => client.output.stdout.reduce((sum, { length }) => sum + length, 0)
	await client.until(() => received() > BYTES / 3, 'a third of it')
	site.away.ip('addr add 192.0.2.7/24 dev eth0')
	site.away.ip('addr del 192.0.2.2/24 dev eth0')
	site.away.ip('addr add 192.0.2.8/24 dev eth0')
	t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
	const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
	t.is(hash(client.stdout()), hash(input))
	t.is([...server.process.stderr().matchAll(/ opened /g)].length, 1, 'one connection')
}

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
		const server = await serve(t, site, `${target}:4000`, EXT_ONE)
		const gateway =
			await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=${target}`])
		await thereAndBack(t, site, server, EXT_ONE)
		t.true(gateway.running)
	})
}

/** Of so many bytes the last blocks leave together, as a train no longer than one packet. */
const SHORT_TRAINS = [1300, 1600, 1664, 1700, 2600]

for (const datapath of ['nftables', 'packet', 'raw']) {
	const more = datapath === 'raw' ? ['raw-socket'] : []
	inTurn(...NEEDS, ...more)(`${datapath}: trains as short as a packet`, async (t) => {
		const site = makeSite(t)
		const server = await serve(t, site, '10.77.0.2:4000', EXT_ONE)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
		for (const n of SHORT_TRAINS) {
			const input = randomInput(n)
			const client = site.away.start(t, process.execPath, [MAIN, 'connect',
				`curvecp://${server.publicKey}@${PUBLIC}:4000/pi?extension=${EXT_ONE}`])
			client.feed(input)
			await client.until(() => client.stdout().length === n, `all ${n} bytes`)
			t.true(client.stdout().equals(input))
		}
	})
}

/** Blocks, and a probe behind a block: together longer than a packet, shorter than a frame. */
const TRAINS = [[1152, 272], [1088, 112], [736, 736], [608, 608, 112], [480, 480, 480]]

for (const datapath of ['nftables', 'packet', 'raw']) {
	const more = datapath === 'raw' ? ['raw-socket'] : []
	inTurn(...NEEDS, ...more)(`${datapath}: no train is taken for a packet that is too long`,
		async (t) => {
		const site = makeSite(t)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=10.77.0.2`])
		// Neighbours are known: nothing is sent again here.
		site.gw.ip(`neigh replace 10.77.0.2 lladdr ${site.one.mac('eth0')} dev lan0`)
		site.gw.ip(`neigh replace 192.0.2.2 lladdr ${site.away.mac('eth0')} dev wan0`)
		const [server, client] = ['10.77.0.2:4000', '192.0.2.2:7777']
		const tool = (box: Box, ...words: readonly string[]): Started =>
			box.start(t, process.execPath, ['build/out/test/support/train-tool.js', ...words])
		for (const [who, from, to, sender, receiver] of [
			['client', client, `${PUBLIC}:4000`, site.away, [site.one, server]],
			['server', server, client, site.one, [site.away, client]],
		] as const) {
			const listener = tool(receiver[0], 'listen', ...receiver[1].split(':'))
			await listener.untilPrinted(/ready\n/)
			let heard = 'ready\n'
			for (const lengths of TRAINS) {
				tool(sender, 'send', who, from, to, EXT_ONE, ...lengths.map(String)).feed('\n')
				heard += lengths.map((n) => `${n}\n`).join('')
				await listener.until(() => listener.stdout().length >= heard.length,
					`${lengths.join(' + ')} of the ${who}`)
				t.is(listener.stdout().toString(), heard)
			}
			await listener.stop()
		}
	})
}

for (const datapath of ['nftables', 'packet']) {
	inTurn(...NEEDS, 'socat')(`${datapath}: the same to a server that has only IPv6`, async (t) => {
		const site = makeSite(t)
		const server = await serve(t, site, '127.0.0.1:4001', EXT_ONE)
		const socat = site.one.start(t, 'socat',
			['UDP6-LISTEN:4000,ipv6only=1,fork', 'UDP4:127.0.0.1:4001'])
		await site.one.untilBound(socat, 4000)
		await startGatewayProcess(t, site, datapath, ['--route', `${EXT_ONE}=[fd00:77::2]`])
		await thereAndBack(t, site, server, EXT_ONE)
	})

	inTurn(...NEEDS)(`${datapath}: the same by a sealed extension`, async (t) => {
		const site = makeSite(t)
		const seal = join(site.folder, 'seal')
		site.gw.run(process.execPath, MAIN, 'seal', 'new', seal)
		const extension = new Uint8Array(16)
		new Sealer(readSealKeys(seal)).seal(extension, 0, 0, 2, makeGenerator(1))
		const server = await serve(t, site, '10.77.0.2:4000', 'any')
		await startGatewayProcess(t, site, datapath, ['--allow', '10.77.0.0/24', '--seal-keys', seal])
		await thereAndBack(t, site, server, toHex(extension))
	})
}
