// One connection that moves a gigabyte, each side pinned to a core of its own, over loopback and
// through two namespaces: megabytes a second, and the processor time of both sides.

import { execFileSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { makeFolder, type Owner, type Started } from '../support/processes.ts'
import { startReferenceServer, type Whereabouts } from '../support/reference.ts'
import type { Bench, Contestant, Measure } from './bench.ts'
import { ceiling, type Taken } from './ceiling.ts'
import {
	loopback, move, namespaces, zeros, type MakeGround, type Mover, type Side,
} from './ground.ts'
import { quic, stunnel, tcp, wireguard } from './peers.ts'

const PROGRAM = resolve('build/curvegate')
const SINK = ['sh', '-c', 'cat > /dev/null']

type Platform = 'linux' | 'portable'

/** A server of ours with one service; its address. */
async function serve(
	owner: Owner, side: Side, service: string, platform: Platform,
): Promise<[Started, string]> {
	const keys = join(makeFolder(owner), 'keys')
	execFileSync(PROGRAM, ['keygen', keys])
	const server = side.start(PROGRAM, ['server', '--keys', keys, '--listen', `${side.address}:0`,
		'--serve', `bench=${service}`], { env: { CURVEGATE_PLATFORM: platform } })
	return [server, await server.untilPrinted(/^curvecp:\S+$/m)]
}

function send(side: Side, address: string, file: string): Promise<void> {
	return side.run('sh', ['-c', `exec ${PROGRAM} connect '${address}' < ${file}`])
}

function ours(platform: Platform): Mover {
	return async (owner, { server, client }, megabytes) => {
		const [sink, address] = await serve(owner, server, 'discard', platform)
		const file = zeros(owner, megabytes)
		return await move(megabytes, [sink], () => send(client, address, file))
	}
}

/** Our client into NaCl's server. */
const toReference: Mover = async (owner, { client }, megabytes) => {
	const { process, publicKey, address, port, name, extension } = await startReferenceServer(
		owner, SINK)
	const to = `curvecp://${publicKey}@${address}:${port}/${name}?extension=${extension}`
	const file = zeros(owner, megabytes)
	return await move(megabytes, [process], () => send(client, to, file))
}

/** NaCl's client into our server. */
const fromReference: Mover = async (owner, { server, client }, megabytes) => {
	const [sink, url] = await serve(owner, server, 'discard', 'linux')
	const { hostname, port, username, pathname } = new URL(url)
	const to = {
		name: pathname.slice(1), publicKey: username, address: hostname, port: Number(port),
		extension: '0'.repeat(32),
	}
	return await pushReference(owner, client, to, sink, megabytes)
}

const reference: Mover = async (owner, { client }, megabytes) => {
	const server = await startReferenceServer(owner, SINK)
	return await pushReference(owner, client, server, server.process, megabytes)
}

function pushReference(
	owner: Owner, side: Side, to: Whereabouts, sink: Started, megabytes: number,
): ReturnType<Mover> {
	const push = `cat ${zeros(owner, megabytes)} >&7; exec 7>&-; cat <&6`
	const { name, publicKey, address, port, extension } = to
	return move(megabytes, [sink], () => side.run('curvecpclient', ['-Q', name, publicKey, address,
		String(port), extension, 'curvecpmessage', '-C', 'sh', '-c', push]))
}

/** It pins itself. */
const ceilingOf = (taken: Taken): Mover => (owner, _ground, megabytes) =>
	ceiling(owner, megabytes, taken)

const NACL = ['curvecpserver', 'curvecpclient', 'curvecpmessage']
const TUNNEL = ['root', 'netns', 'ip', 'wireguard-go', 'wg', 'iperf3', '/dev/net/tun']
const QUIC = ['gtlsserver', 'gtlsclient', 'openssl']
const TLS = ['stunnel4', 'iperf3', 'openssl']

function contestant(
	name: string, needs: readonly string[], ground: MakeGround, mover: Mover, megabytes: number,
): Contestant {
	return {
		name, needs: ['taskset', ...needs],
		run: async (context) => {
			const amount = context.quick ? megabytes / 10 : megabytes
			const moved = await mover(context, ground(context), amount)
			return [moved.megabytes / moved.seconds, (moved.cpuSeconds * 1000) / moved.megabytes]
		},
	}
}

const MEASURES: readonly Measure[] = [
	{ title: 'speed', unit: 'MB/s' },
	{ title: 'processor time of both sides, start included', unit: 's/GB' },
]

const OURS = 'Curvegate'
const REFERENCE = 'NaCl\'s tools'
const WIREGUARD = 'wireguard-go + iperf3 (two namespaces)'
const NGTCP2 = 'ngtcp2 (QUIC, AES)'
const CEILING = 'the ceiling: libsodium and system calls'
const CEILING_SINGLY = 'the same, datagrams received one by one'

export const throughput: Bench = {
	name: 'throughput',
	title: 'One connection over loopback, a core for each side',
	measures: MEASURES,
	bases: [REFERENCE, CEILING],
	rounds: 3,
	seconds: [90, 10],
	contestants: [
		contestant(OURS, [], loopback, ours('linux'), 1000),
		contestant('Curvegate, portable', [], loopback, ours('portable'), 100),
		contestant('Curvegate into NaCl\'s server', NACL, loopback, toReference, 200),
		contestant('NaCl\'s client into Curvegate', NACL, loopback, fromReference, 10),
		contestant(REFERENCE, NACL, loopback, reference, 10),
		contestant(WIREGUARD, TUNNEL, namespaces, wireguard, 400),
		contestant(NGTCP2, QUIC, loopback, quic, 1000),
		contestant('stunnel (TLS 1.3, AES)', TLS, loopback, stunnel, 1000),
		contestant('plain TCP', ['iperf3'], loopback, tcp, 1000),
		contestant(CEILING, [], loopback, ceilingOf('runs'), 1000),
		contestant(CEILING_SINGLY, [], loopback, ceilingOf('singly'), 1000),
	],
	goals: [
		{ text: 'one connection, times NaCl\'s tools', unit: '×', least: 300,
			figure: (m) => m(OURS) / m(REFERENCE) },
		{ text: 'one connection, of the ceiling', unit: '×', least: 0.7,
			figure: (m) => m(OURS) / m(CEILING) },
		{ text: 'one connection, of the ceiling with a bare recvmmsg', unit: '×', least: 0.7,
			figure: (m) => m(OURS) / m(CEILING_SINGLY) },
		{ text: 'one connection, times wireguard-go', unit: '×', least: 3,
			figure: (m) => m(OURS) / m(WIREGUARD) },
		{ text: 'one connection, times ngtcp2', unit: '×', least: 1,
			figure: (m) => m(OURS) / m(NGTCP2) },
	],
}

const NETNS = ['root', 'netns', 'ip']

export const processor: Bench = {
	name: 'namespaces',
	title: 'One connection through two namespaces, a core for each side',
	measures: MEASURES,
	bases: ['wireguard-go + iperf3'],
	rounds: 3,
	seconds: [30, 5],
	contestants: [
		contestant(OURS, NETNS, namespaces, ours('linux'), 1000),
		contestant('Curvegate, portable', NETNS, namespaces, ours('portable'), 100),
		contestant('wireguard-go + iperf3', TUNNEL, namespaces, wireguard, 400),
		contestant(NGTCP2, [...NETNS, ...QUIC], namespaces, quic, 1000),
		contestant('stunnel (TLS 1.3, AES)', [...NETNS, ...TLS], namespaces, stunnel, 1000),
		contestant('plain TCP', [...NETNS, 'iperf3'], namespaces, tcp, 1000),
	],
	goals: [
		{ text: 'processor time for a gigabyte, of wireguard-go\'s', unit: '×', most: 1,
			figure: (m) => m(OURS, 1) / m('wireguard-go + iperf3', 1) },
	],
}
