// NaCl's curvecpserver, curvecpclient and curvecpmessage as tests use them. spec: protocol.md 6

import { setTimeout as pause } from 'node:timers/promises'
import {
	freePort, makeKeyDirectory, start, until, untilBound, type Owner, type Started,
} from './processes.ts'

/** Any 16 bytes; the usual ones of protocol.md. */
export const EXTENSION = '31415926535897932384626433832795'

/** NaCl's tools repeat some of what was lost only after 60 s. spec: protocol.md 5.4 */
const STALL_MILLIS = 90_000
/** For the end of a conversation of the reference with itself, once all has come. */
const CLOSE_MILLIS = 30_000

/** Where a server is and who it is: what its clients must know. */
export interface Whereabouts {
	readonly name: string
	readonly publicKey: string
	readonly address: string
	readonly port: number
	readonly extension: string
}

export interface ReferenceServer extends Whereabouts {
	readonly process: Started
	readonly keyDirectory: string
}

export interface ReferenceServerOptions {
	readonly name?: string
	readonly extension?: string
	/** At most so many connections. */
	readonly connections?: number
	/** The message handler instead of curvecpmessage. */
	readonly handler?: readonly string[]
}

/** A server whose service is this program: it reads the stream from 0 and writes it to 1. */
export async function startReferenceServer(
	owner: Owner, program: readonly string[], options: ReferenceServerOptions = {},
): Promise<ReferenceServer> {
	const { name = 'server.example', extension = EXTENSION, handler = ['curvecpmessage'] } = options
	const { path, publicKey } = makeKeyDirectory(owner)
	const address = '127.0.0.1'
	const port = await freePort()
	const limit = options.connections === undefined ? [] : ['-c', String(options.connections)]
	const process = start(owner, 'curvecpserver', [
		// Without -Q it ends with 111 and no word.
		'-Q', ...limit, name, path, address, String(port), extension, ...handler, ...program,
	])
	await untilBound(process, port)
	return { process, keyDirectory: path, name, publicKey, address, port, extension }
}

export interface ReferenceClientOptions {
	/** -C: the client speaks first; -c: the server does, and the client's ping wakes it. */
	readonly first?: 'client' | 'server'
	readonly keyDirectory?: string
	/** The client's end of the stream, on 6 and 7; the default joins them to input and output. */
	readonly program?: readonly string[]
}

/** Input becomes the stream, its end included; the other stream becomes output. */
const JOIN = 'exec 3<&0; cat <&3 >&7 & exec 7>&- 3<&-; cat <&6; wait'

export function startReferenceClient(
	owner: Owner, to: Whereabouts, options: ReferenceClientOptions = {},
): Started {
	const keys = options.keyDirectory === undefined ? [] : ['-c', options.keyDirectory]
	return start(owner, 'curvecpclient', [
		'-Q', ...keys, to.name, to.publicKey, to.address, String(to.port), to.extension,
		'curvecpmessage', options.first === 'server' ? '-c' : '-C',
		...(options.program ?? ['sh', '-c', JOIN]),
	])
}

/**
 * curvecpmessage alone, its packet side on our pipes: frames of one length byte (in 16 bytes) and
 * a message; writeTo(8) is what it receives, readFrom(9) what it sends.
 */
export function startMessageHandler(
	owner: Owner, mode: '-s' | '-c' | '-C', program: readonly string[],
): Started {
	const stdio = Array.from({ length: 10 }, (_, fd) =>
		fd < 3 || fd > 7 ? 'pipe' as const : 'ignore' as const)
	return start(owner, 'curvecpmessage', [mode, ...program], { stdio })
}

/**
 * What a client of the reference got from a server of the reference: n bytes, and its end if that
 * comes. NaCl's server does not outlive its connection, so a client whose last acknowledgment is
 * lost waits for ever. spec: protocol.md 4.9
 */
export async function untilEchoed(client: Started, n: number): Promise<Buffer> {
	const echoed = (): number => client.output.stdout.reduce((sum, { length }) => sum + length, 0)
	for (let last = -1; client.running && echoed() < n && echoed() > last;) {
		last = echoed()
		// One that stands still is stopped.
		const moved = (): boolean => !client.running || echoed() > last
		await until(moved, 'more of the stream', STALL_MILLIS).catch(() => {})
	}
	await Promise.race([client.ended, pause(CLOSE_MILLIS, undefined, { ref: false })])
	if (client.running) await client.stop()
	return client.stdout()
}
