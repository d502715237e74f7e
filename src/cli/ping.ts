// curvegate ping: how long a server takes to answer, and which of its hosts did; from here, or from
// where helpers stand.

import { setTimeout as sleep } from 'node:timers/promises'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { EXIT_DONE, EXIT_TROUBLE, Trouble, causeOf, Usage } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { formatAddress, parseAddress, type Address } from '../service/address.ts'
import type { ClientConnection } from '../service/client.ts'
import type { Seen } from '../service/outside.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readCount } from './values.ts'

const COUNT = 4
const INTERVAL: Nanos = SECOND / 2

export const run: Run = async (args: Arguments) => {
	const word = args.positionals[0]!
	if (word === '-') return await pingForOther(args)
	const address = parseAddress(word)
	if (!args.has('from-outside')) return await ping(args, address, {})
	return await (await import('./ping-outside.ts')).pingFromOutside(args, address)
}

/** More: what else is told beside what was measured. */
async function ping(args: Arguments, address: Address, more: object): Promise<number> {
	const count = args.value('count', readCount) ?? COUNT
	const json = args.has('json')
	const { client } = await openClient(args, 1, address)
	try {
		const rttMs: number[] = []
		let enough = (): void => {}
		const measured = new Promise<void>((resolve) => {
			enough = resolve
		})
		const connection = await client.open((one) => {
			if (one.endpoint.state !== 'established' || one.messenger.rttSamples <= rttMs.length) return
			if (rttMs.length === 0 && !json) printHost(one)
			rttMs.push(rounded(one.messenger.latestRtt))
			if (!json) printLine(`round trip ${rttMs.length}: ${rttMs.at(-1)} ms`)
			if (rttMs.length === count) enough()
			else void sleep(INTERVAL / MILLISECOND).then(() => one.ping())
		})
		process.once('SIGINT', enough)
		await Promise.race([measured, connection.over])
		if (rttMs.length === 0) {
			const where = `${address.hosts.join(', ')}, port ${address.port}`
			throw new Trouble('reach', where, connection.fault ?? 'interrupted')
		}
		if (json) printJson({ ...facts(connection, address, rttMs), ...more })
		else printLine(summary(rttMs))
		return EXIT_DONE
	} finally {
		client.close()
	}
}

/** As a service: the client says what to ping, and is told where it was seen to come from. */
async function pingForOther(args: Arguments): Promise<number> {
	const seen = seenBy(process.env)
	const more = seen === undefined ? {} : { seen }
	try {
		return await ping(args, parseAddress(await readLine()), more)
	} catch (error) {
		if (!args.has('json') || !(error instanceof Trouble || error instanceof Usage)) throw error
		printJson({ ...more, error: { message: causeOf(error) } })
		return EXIT_TROUBLE
	}
}

function seenBy({ PROTO, CURVECPREMOTEIP: ip, CURVECPREMOTEPORT: port }: NodeJS.ProcessEnv)
	: Seen | undefined {
	return PROTO !== 'CURVECP' || ip === undefined ? undefined : { ip, port: Number(port) }
}

const LINE_MAX = 4096

async function readLine(): Promise<string> {
	let text = ''
	for await (const chunk of process.stdin) {
		text += String(chunk)
		if (text.length > LINE_MAX || text.includes('\n')) break
	}
	return text.slice(0, LINE_MAX).split('\n')[0]!.trim()
}

function printHost({ endpoint }: ClientConnection): void {
	const host = endpoint.hosts[endpoint.winner]!
	const handshake = `${rounded(endpoint.handshakeNanos)} ms`
	printLine(`${addressText(host.address)}:${host.port} answered; handshake ${handshake}`)
}

function facts(connection: ClientConnection, address: Address, rttMs: number[]): object {
	const { endpoint, messenger } = connection
	const host = endpoint.hosts[endpoint.winner]!
	return {
		address: formatAddress(address),
		answered: `${addressText(host.address)}:${host.port}`,
		handshakeMs: rounded(endpoint.handshakeNanos),
		rttMs,
		curvegate: messenger.peerIsOurs,
	}
}

function summary(rttMs: readonly number[]): string {
	const mean = rttMs.reduce((sum, one) => sum + one, 0) / rttMs.length
	const [least, most] = [Math.min(...rttMs), Math.max(...rttMs)]
	return `${rttMs.length} round trips: least ${least}, mean ${mean.toFixed(3)}, most ${most} ms`
}

function rounded(time: Nanos): number {
	return Math.round(time / 1000) / 1000
}
