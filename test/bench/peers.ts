// The peers' ways to move a stream of zeros from one side to the other: plain TCP, WireGuard in
// userspace, QUIC and TLS in C. Each with its own defaults, none with a disk in the way.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { freePort, makeFolder, type Owner, type Started } from '../support/processes.ts'
import {
	MEGABYTE, move, untilListening, zeros, type Ground, type Mover, type Side,
} from './ground.ts'

/** iperf3 on the server's side, and how the client's side sends to it. */
async function iperf(
	{ server, client }: Ground, megabytes: number,
): Promise<{ sink: Started, port: number, send(address: string, port: number): Promise<void> }> {
	const port = await freePort()
	const sink = server.start('iperf3', ['--server', '--forceflush', '--port', String(port)])
	await untilListening(sink, 'tcp', port)
	const bytes = String(megabytes * MEGABYTE)
	return {
		sink, port,
		send: (address, to) => client.run('iperf3', ['--client', address, '--port', String(to),
			'--bytes', bytes]),
	}
}

export const tcp: Mover = async (_owner, ground, megabytes) => {
	const { sink, port, send } = await iperf(ground, megabytes)
	return await move(megabytes, [sink], () => send(ground.server.address, port))
}

/** One tunnel; its interface and control socket carry this process's id. */
export const wireguard: Mover = async (owner, ground, megabytes) => {
	const keys = [wireguardKey(), wireguardKey()]
	const tunnels = [ground.server, ground.client].map((side, i) => (
		{ side, name: `cg${process.pid}x${i}`, inner: `10.99.0.${i + 1}` }
	))
	const daemons: Started[] = []
	for (const [i, { side, name, inner }] of tunnels.entries()) {
		const daemon = side.start('wireguard-go', ['--foreground', name])
		daemons.push(daemon)
		await daemon.until(() => succeeds('wg', 'show', name), `${name} to take orders`)
		const [other, peer] = [tunnels[1 - i]!, keys[1 - i]!]
		const file = join(makeFolder(owner), 'key')
		writeFileSync(file, keys[i]!.secret)
		await side.run('wg', ['set', name, 'listen-port', '51820', 'private-key', file,
			'peer', peer.public, 'allowed-ips', `${other.inner}/32`,
			'endpoint', `${other.side.address}:51820`])
		await side.run('ip', ['address', 'add', `${inner}/24`, 'dev', name])
		await side.run('ip', ['link', 'set', name, 'up'])
	}
	const { sink, port, send } = await iperf(ground, megabytes)
	return await move(megabytes, [sink, ...daemons], () => send(tunnels[0]!.inner, port))
}

function wireguardKey(): { secret: string, public: string } {
	const secret = execFileSync('wg', ['genkey'], { encoding: 'utf8' })
	const text = execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: secret })
	return { secret, public: text.trim() }
}

function succeeds(command: string, ...args: readonly string[]): boolean {
	try {
		execFileSync(command, args, { stdio: 'ignore' })
		return true
	} catch {
		return false
	}
}

/** The server sends, because its files are mapped; HTTP/3 around it is a few bytes. */
export const quic: Mover = async (owner, { server, client }, megabytes) => {
	const { key, certificate } = makeCertificate(owner)
	const file = zeros(owner, megabytes)
	const port = await freePort()
	const sender = server.start('gtlsserver', ['--quiet', '--htdocs', dirname(file),
		server.address, String(port), key, certificate])
	await untilListening(sender, 'udp', port)
	return await move(megabytes, [sender], () => client.run('gtlsclient', [
		'--quiet', '--no-quic-dump', '--no-http-dump', '--exit-on-all-streams-close',
		server.address, String(port), `https://localhost:${port}/${basename(file)}`,
	]))
}

/** TLS 1.3 between two proxies, and TCP to each. */
export const stunnel: Mover = async (owner, ground, megabytes) => {
	const { server, client } = ground
	const { key, certificate } = makeCertificate(owner)
	const { sink, port, send } = await iperf(ground, megabytes)
	const proxy = async (side: Side, accept: number, lines: readonly string[]): Promise<Started> => {
		const file = join(makeFolder(owner), 'stunnel.conf')
		const head = ['foreground = yes', 'pid =', 'debug = 4', '[bench]']
		const text = [...head, `accept = ${side.address}:${accept}`, ...lines, '']
		writeFileSync(file, text.join('\n'))
		const started = side.start('stunnel4', [file])
		await untilListening(started, 'tcp', accept)
		return started
	}
	const [far, near] = [await freePort(), await freePort()]
	const proxies = [
		await proxy(server, far, [`connect = ${server.address}:${port}`, `key = ${key}`,
			`cert = ${certificate}`]),
		await proxy(client, near, ['client = yes', `connect = ${server.address}:${far}`]),
	]
	return await move(megabytes, [sink, ...proxies], () => send(client.address, near))
}

function makeCertificate(owner: Owner): { key: string, certificate: string } {
	const folder = makeFolder(owner)
	const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
	execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt',
		'ec_paramgen_curve:P-256', '-days', '1', '-subj', '/CN=localhost', '-keyout', key,
		'-out', certificate], { stdio: 'ignore' })
	return { key, certificate }
}
