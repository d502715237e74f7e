// Round trips to a server, measured over one connection.

import { setTimeout as sleep } from 'node:timers/promises'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { Trouble } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { formatAddress, type Address } from './address.ts'
import type { Client, ClientConnection } from './client.ts'

const INTERVAL: Nanos = SECOND / 2

export interface PingFacts {
	readonly address: string
	/** Which of the hosts it was. */
	readonly answered: string
	readonly handshakeMs: number
	readonly rttMs: readonly number[]
	/** A server of our make. */
	readonly curvegate: boolean
	/** Here: which sockets, which cryptography. */
	readonly datapath: { readonly udp: string, readonly box: string }
}

export interface PingOptions {
	readonly count: number
	/** Ends it early, with what there is. */
	readonly stop?: AbortSignal
	/** Takes a line for people whenever there is news. */
	readonly say?: ((line: string) => void) | undefined
}

/** Throws Trouble when nobody answered. */
export async function measure(
	client: Client, address: Address, { count, stop, say }: PingOptions,
): Promise<PingFacts> {
	const rttMs: number[] = []
	let enough = (): void => {}
	const measured = new Promise<void>((resolve) => {
		enough = resolve
	})
	const connection = await client.open((one) => {
		if (one.endpoint.state !== 'established' || one.messenger.rttSamples <= rttMs.length) return
		if (rttMs.length === 0) say?.(hostText(one))
		rttMs.push(rounded(one.messenger.latestRtt))
		say?.(`round trip ${rttMs.length}: ${rttMs.at(-1)} ms`)
		if (rttMs.length === count) enough()
		else void sleep(INTERVAL / MILLISECOND).then(() => one.ping())
	})
	stop?.addEventListener('abort', enough)
	await Promise.race([measured, connection.over])
	if (rttMs.length === 0) {
		const where = `${address.hosts.join(', ')}, port ${address.port}`
		throw new Trouble('reach', where, connection.fault ?? 'interrupted')
	}
	return factsOf(connection, address, rttMs)
}

function hostText({ endpoint }: ClientConnection): string {
	const host = endpoint.hosts[endpoint.winner]!
	const handshake = `${rounded(endpoint.handshakeNanos)} ms`
	return `${addressText(host.address)}:${host.port} answered; handshake ${handshake}`
}

function factsOf(connection: ClientConnection, address: Address, rttMs: number[]): PingFacts {
	const { endpoint, messenger } = connection
	const host = endpoint.hosts[endpoint.winner]!
	return {
		address: formatAddress(address),
		answered: `${addressText(host.address)}:${host.port}`,
		handshakeMs: rounded(endpoint.handshakeNanos),
		rttMs,
		curvegate: messenger.peerIsOurs,
		datapath: connection.datapath,
	}
}

export function pingText({ rttMs, curvegate, datapath }: PingFacts): string {
	const { udp, box } = datapath
	const mean = rttMs.reduce((sum, one) => sum + one, 0) / rttMs.length
	const [least, most] = [Math.min(...rttMs), Math.max(...rttMs)]
	return `${rttMs.length} round trips: least ${least}, mean ${mean.toFixed(3)}, most ${most} ms\n`
		+ `datapath: ${udp} UDP, ${box}; the server is ${curvegate ? 'a' : 'no'} curvegate`
}

function rounded(time: Nanos): number {
	return Math.round(time / 1000) / 1000
}
