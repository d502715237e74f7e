// The site of the gateway's namespace tests:
//
//   away 192.0.2.2 ─┐                              ┌─ one 10.77.0.2, fd00:77::2
//   far  192.0.2.3 ─┤ Internet ─ wan0 gw lan0 ─ LAN ┤
//                   ┘       192.0.2.1  10.77.0.1    └─ two 10.77.0.3, fd00:77::3

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { Network, type Box } from './netns.ts'
import { makeFolder, makeKeyDirectory, type Owner, type Started } from './processes.ts'
import { untilEchoed } from './reference.ts'

export const PUBLIC = '192.0.2.1'
export const EXT_ONE = '000102030405060708090a0b0c0d0e0f'
export const EXT_TWO = '22222222222222222222222222222222'

/** One of any number, told from others by its first word. */
export function extensionOf(i: number): string {
	return i.toString(16).padStart(8, '0').padEnd(32, 'a5')
}

/** An extension as nft shows it: four words without their leading zeros. */
export function shownByNft(extension: string): string {
	const words = extension.match(/.{8}/g) ?? []
	return words.map((word) => `0x${parseInt(word, 16).toString(16)}`).join(' . ')
}

export interface Site {
	readonly network: Network
	readonly internet: Box
	readonly lan: Box
	readonly away: Box
	readonly far: Box
	readonly gw: Box
	readonly one: Box
	readonly two: Box
	readonly folder: string
}

export function makeSite(owner: Owner): Site {
	const network = new Network(owner)
	const internet = network.segment('net')
	const lan = network.segment('lan')
	const [away, far, gw, one, two] =
		['away', 'far', 'gw', 'one', 'two'].map((name) => network.box(name))
	if (!away || !far || !gw || !one || !two) throw new Error('five boxes')
	network.join(away, 'eth0', internet, '192.0.2.2/24')
	network.join(far, 'eth0', internet, '192.0.2.3/24')
	network.join(gw, 'wan0', internet, `${PUBLIC}/24`)
	network.join(gw, 'lan0', lan, '10.77.0.1/24', 'fd00:77::1/64')
	network.join(one, 'eth0', lan, '10.77.0.2/24', 'fd00:77::2/64')
	network.join(two, 'eth0', lan, '10.77.0.3/24', 'fd00:77::3/64')
	for (const box of [one, two]) {
		box.ip('route add default via 10.77.0.1')
		box.ip('-6 route add default via fd00:77::1')
	}
	return { network, internet, lan, away, far, gw, one, two, folder: makeFolder(owner) }
}

/** Our gateway, in its own process, once it forwards. */
export async function startGatewayProcess(
	owner: Owner, site: Site, datapath: string, args: readonly string[], patienceMillis = 0,
): Promise<Started> {
	// The kernel's switch is the datapath's to have: off, it forwards nothing untranslated.
	site.gw.sysctl('net.ipv4.ip_forward', datapath === 'nftables' ? '1' : '0')
	const gateway = launchGateway(owner, site, datapath, args)
	const end = performance.now() + patienceMillis
	for (;;) {
		try {
			await gateway.untilPrinted(/ports .*routes, /)
			return gateway
		} catch (error) {
			if (!gateway.running || performance.now() > end) throw error
		}
	}
}

/** The same, as the kernel's switches are, and whether it comes up or not. */
export function launchGateway(
	owner: Owner, site: Site, datapath: string, args: readonly string[],
): Started {
	return site.gw.start(owner, process.execPath, [
		resolve('build/out/src/cli/main.js'), 'gateway', '--wan', 'wan0', '--lan', 'lan0',
		'--datapath', datapath, ...args,
	])
}

export interface Stranger {
	readonly publicKey: string
	readonly process: Started
}

/** NaCl's server in a box, its service an echo. */
export async function startStranger(
	owner: Owner, box: Box, address: string, port: number, extension: string,
	program: readonly string[] = ['cat'],
): Promise<Stranger> {
	const { path, publicKey } = makeKeyDirectory(owner)
	const server = box.start(owner, 'curvecpserver', [
		'-Q', 'server.example', path, address, String(port), extension, 'curvecpmessage', ...program,
	])
	await box.untilBound(server, port)
	return { publicKey, process: server }
}

/** NaCl's client in a box: sends `input` and returns what came back. own: its own extension. */
export async function talk(
	owner: Owner, box: Box, publicKey: string, extension: string, input: Buffer,
	address = PUBLIC, port = 4000, own?: string,
): Promise<Buffer> {
	const join = 'exec 3<&0; cat <&3 >&7 & exec 7>&- 3<&-; cat <&6; wait'
	const words = [
		'curvecpclient', '-Q', 'server.example', publicKey, address, String(port), extension,
		'curvecpmessage', '-C', 'sh', '-c', join,
	]
	const octal =
		own?.replace(/../g, (pair) => `\\${parseInt(pair, 16).toString(8).padStart(3, '0')}`)
	// An /etc of its own, with nothing but the file that NaCl's client reads.
	const script = 'mount -t tmpfs none /etc && printf "$0" > /etc/curvecpextension && exec "$@"'
	const client = octal === undefined
		? box.start(owner, words[0]!, words.slice(1))
		: box.start(owner, 'unshare', ['--mount', 'sh', '-c', script, octal, ...words])
	client.feed(input)
	const echoed = await untilEchoed(client, input.length)
	if (echoed.length < input.length) {
		const what = `${echoed.length} of ${input.length} bytes came back`
		throw new Error(`${what}; NaCl's client has said: ${client.stderr()}`)
	}
	return echoed
}

export function randomInput(n: number): Buffer {
	return execFileSync('head', ['-c', String(n), '/dev/urandom'], { maxBuffer: 1 << 28 })
}

