// Backup servers for real: eight loopback addresses of which the first k are silent, the others are
// NaCl's servers with one key. Whole client processes, start included.

import { createSocket, type Socket } from 'node:dgram'
import { resolve } from 'node:path'
import { freePort, makeKeyDirectory, start, untilBound } from '../support/processes.ts'
import { EXTENSION, startReferenceClient } from '../support/reference.ts'
import { one, timed, type Bench, type Context } from './bench.ts'

const PROGRAM = resolve('build/curvegate')
const NACL = ['curvecpserver', 'curvecpclient', 'curvecpmessage']
const NAME = 'backup.example'
const ADDRESSES = Array.from({ length: 8 }, (_, i) => `127.0.0.${11 + i}`)

/** Bound and never read: no answer, and no ICMP either. */
async function silent(context: Context, address: string, port: number): Promise<void> {
	const socket: Socket = createSocket('udp4')
	await new Promise<void>((done) => socket.bind({ address, port }, done))
	context.teardown(() => {
		socket.close()
	})
}

async function connects(context: Context, dead: number, ours: boolean): Promise<number> {
	const { path, publicKey } = makeKeyDirectory(context)
	const port = await freePort()
	for (const [i, address] of ADDRESSES.entries()) {
		if (i < dead) {
			await silent(context, address, port)
			continue
		}
		const server = start(context, 'curvecpserver', [
			NAME, path, address, String(port), EXTENSION, 'curvecpmessage', 'echo', 'ok',
		])
		if (i === dead) await untilBound(server, port)
	}
	const hosts = ADDRESSES.join(',')
	const seconds = await timed(async () => {
		const url = `curvecp://${publicKey}@${hosts}:${port}/${NAME}?extension=${EXTENSION}`
		const client = ours ? start(context, PROGRAM, ['connect', url])
			: startReferenceClient(context, {
				name: NAME, publicKey, address: hosts, port, extension: EXTENSION,
			}, { first: 'server', program: ['sh', '-c', 'exec 7>&-; cat <&6'] })
		client.feed('')
		const { code } = await client.ended
		if (code !== 0) throw new Error(`a client ended with ${code}: ${client.stderr()}`)
	})
	return seconds * 1000
}

export const backup: readonly Bench[] = [0, 1, 4, 7].map((dead) => ({
	name: `backup-${dead}`,
	title: `${dead} of 8 addresses silent, start of the client included`,
	measures: [{ title: 'time', unit: 'ms' }],
	bases: ['reference client'],
	rounds: dead === 7 ? 3 : 7,
	seconds: [dead === 7 ? 40 : 4, dead === 7 ? 40 : 4] as const,
	contestants: [true, false].map((ours) => ({
		name: ours ? 'our client' : 'reference client',
		needs: NACL,
		run: one((context) => connects(context, dead, ours)),
	})),
}))
