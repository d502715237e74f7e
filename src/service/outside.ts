// What a second host says of us. It serves HELPER_SERVICE: we send it an address of ours, it pings
// that from where it stands, and says where it sees us come from. Whatever it answers is a
// stranger's word: bounded, checked, and shown as text.

import { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { Trouble, causeOf, codeOf, troubleOf } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { formatAddress, type Address } from './address.ts'
import type { Client, ClientConnection } from './client.ts'
import { feed } from './feed.ts'

export interface Outside {
	/** Which host of the helper answered: 203.0.113.9:4000. */
	readonly helper: string
	/** Where it saw us come from; undefined: it does not say. */
	readonly seen: Seen | undefined
	/** Our own UDP port of that conversation. */
	readonly port: number
	readonly found: Reached | Failed
}

export interface Seen {
	readonly ip: string
	readonly port: number
}

export interface Reached {
	/** Which host of the address answered. */
	readonly answered: string
	readonly handshakeMs: number
	readonly rttMs: readonly number[]
}

export interface Failed {
	/** Why it got no answer there. */
	readonly cause: string
}

/** What a helper serves; ADDRESS comes on its standard input. */
export const HELPER_SERVICE = 'exec:curvegate ping --json --timeout 5 -'

const ANSWER_BYTES_MAX = 65_536

const SEEN = v.optional(v.object({ ip: v.pipe(v.string(), v.ipv4()), port: v.number() }))
const ANSWER = v.union([
	v.object({
		seen: SEEN, answered: v.string(), handshakeMs: v.number(), rttMs: v.array(v.number()),
	}),
	v.object({ seen: SEEN, error: v.object({ message: v.string() }) }),
])

/**
 * One helper after another from one port of ours, so that their views of it can be compared; the
 * trouble with those that say nothing. open: a client for the helper, bound to the port.
 */
export async function askHelpers(
	helpers: readonly Address[], address: Address,
	open: (helper: Address, port: number) => Promise<Client>,
): Promise<(Outside | Trouble)[]> {
	const views: (Outside | Trouble)[] = []
	let port = 0
	for (const helper of helpers) {
		const client = await open(helper, port)
		try {
			const view = await ask(client, address)
			views.push(view)
			port = view.port
		} catch (error) {
			views.push(troubleOf('ask', helper.hosts.join(', '), error))
		} finally {
			client.close()
		}
	}
	return views
}

async function ask(client: Client, address: Address): Promise<Outside> {
	const chunks: Uint8Array[] = []
	const connection = await openPatiently(client)
	const { port } = connection
	join(connection, `${formatAddress(address)}\n`, chunks)
	await connection.over
	const { endpoint, fault } = connection
	const host = endpoint.hosts[endpoint.winner]
	if (host === undefined) throw new Trouble('ask', 'the helper', fault ?? 'no answer')
	const helper = `${addressText(host.address)}:${host.port}`
	const answer = v.safeParse(ANSWER, parse(helper, Buffer.concat(chunks).toString()))
	if (!answer.success) throw notUnderstood(helper, fault)
	const { output } = answer
	const found = 'error' in output ? { cause: output.error.message } : output
	return { helper, seen: output.seen, port, found }
}

/** The port of a socket that was just closed is free a moment later. */
async function openPatiently(client: Client, tries = 50): Promise<ClientConnection> {
	try {
		return await client.open(() => {})
	} catch (error) {
		if (tries === 0 || codeOf(error) !== 'EADDRINUSE') throw error
		await sleep(10)
		return await openPatiently(client, tries - 1)
	}
}

function join(connection: ClientConnection, line: string, chunks: Uint8Array[]): void {
	let left = ANSWER_BYTES_MAX
	const sink = new Writable({
		write(chunk: Uint8Array, _encoding, done) {
			left -= chunk.length
			if (left < 0) connection.abort()
			else chunks.push(Uint8Array.from(chunk))
			done()
		},
	})
	const source = Readable.from([Buffer.from(line)])
	feed(source, connection.join(source, sink))
}

function parse(helper: string, text: string): unknown {
	try {
		return JSON.parse(text)
	} catch (error) {
		throw notUnderstood(helper, text === '' ? 'it says nothing' : causeOf(error))
	}
}

function notUnderstood(helper: string, cause: string | undefined): Trouble {
	return new Trouble('understand', `the helper ${helper}`,
		`${cause ?? 'another kind of answer'}; its service is to be ${HELPER_SERVICE}`)
}

/** What the helpers' views say of the NAT before us; undefined: they do not say. */
export function natOf(views: readonly Outside[], own: readonly string[]): string | undefined {
	const seen = views.flatMap(({ seen, port }) => seen === undefined ? [] : [{ ...seen, own: port }])
	const [first] = seen
	if (first === undefined) return undefined
	const where = `${first.ip}:${first.port}`
	if (own.includes(first.ip)) return `no NAT: we come from ${where}`
	if (seen.every((one) => one.port === one.own)) return `behind NAT, which keeps ports: ${where}`
	if (seen.length === 1) return `behind NAT, which changes ports: ${first.own} becomes ${where}`
	const one = seen.every(({ ip, port }) => ip === first.ip && port === first.port)
	return one ? `behind NAT with one port for all destinations: ${first.own} becomes ${where}`
		: 'behind NAT with another port for each destination: '
			+ seen.map(({ ip, port }) => `${ip}:${port}`).join(', ')
}
