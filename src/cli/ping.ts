// curvegate ping: how long a server takes to answer, and which of its hosts did.

import { setTimeout as sleep } from 'node:timers/promises'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { EXIT_DONE, Trouble } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { formatAddress, type Address } from '../service/address.ts'
import type { ClientConnection } from '../service/client.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readCount } from './values.ts'

const COUNT = 4
const INTERVAL: Nanos = SECOND / 2

export const run: Run = async (args: Arguments) => {
	const count = args.value('count', readCount) ?? COUNT
	const json = args.has('json')
	const { client, address } = await openClient(args, 1)
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
		if (json) printJson(facts(connection, address, rttMs))
		else printLine(summary(rttMs))
		return EXIT_DONE
	} finally {
		client.close()
	}
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
