// Many connections to an echo that move data all the time, and what came of each.

import { Writable } from 'node:stream'
import { ExtensionSource } from '../../src/platform/extension-source.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { SECOND } from '../../src/base/time.ts'
import { parseAddress } from '../../src/service/address.ts'
import { Client } from '../../src/service/client.ts'
import type { Owner } from './processes.ts'

const PORTION = 3000

export interface EchoClients {
	/** Portions that came back, of all connections together. */
	readonly rounds: () => number
	/** The fewest of any connection. */
	readonly fewest: () => number
	/** Connections that are over although nobody has finished them. */
	readonly dropped: () => string[]
	/** Ends each once its last portion is back; why any was over otherwise. */
	finish(): Promise<string[]>
}

const SOURCE = { pause: () => undefined, resume: () => undefined }

export async function startEchoClients(
	owner: Owner, address: string, count: number,
): Promise<EchoClients> {
	const platform = await openPlatform()
	const client = new Client({
		platform, address: parseAddress(address), keys: undefined,
		extension: new ExtensionSource(`hex:${'00'.repeat(16)}`),
		bind: { address: 0, port: 0 }, connectTimeout: 20 * SECOND,
	}, count)
	owner.teardown(() => client.close())
	const rounds = new Array<number>(count).fill(0)
	let finishing = false
	const all = await Promise.all(rounds.map(async (_, i) => {
		const connection = await client.open(() => undefined)
		const portion = new Uint8Array(PORTION).fill(i)
		let wanted = PORTION
		const next = (): void => {
			wanted = PORTION
			if (finishing) pump.finish('success')
			else pump.take(portion, PORTION, false)
		}
		const sink = new Writable({
			write(chunk: Buffer, _encoding, done) {
				if (chunk.some((byte) => byte !== (i & 255))) throw new Error(`bytes of ${i} are wrong`)
				wanted -= chunk.length
				if (wanted === 0) {
					rounds[i]!++
					next()
				}
				done()
			},
		})
		// As programs do whose reader was taken away.
		sink.once('close', () => {
			if (!sink.writableFinished) connection.abort()
		})
		const pump = connection.join(SOURCE, sink)
		next()
		return connection
	}))
	const over = new Map<number, string>()
	all.forEach((connection, i) => void connection.over.then(() =>
		over.set(i, connection.fault ?? 'done')))
	return {
		rounds: () => rounds.reduce((sum, one) => sum + one, 0),
		fewest: () => Math.min(...rounds),
		dropped: () => [...over].map(([i, why]) => `${i}: ${why}`),
		finish: async () => {
			finishing = true
			await Promise.all(all.map((connection) => connection.over))
			return all.flatMap(({ fault }) => fault ?? [])
		},
	}
}
