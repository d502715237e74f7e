// curvegate ping: how long a server takes to answer, and which of its hosts did; from here, or from
// where helpers stand.

import { EXIT_DONE, EXIT_TROUBLE, Trouble, causeOf, Usage } from '../platform/trouble.ts'
import { parseAddress, type Address } from '../service/address.ts'
import type { Seen } from '../service/outside.ts'
import { measure, pingText } from '../service/ping.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readCount } from './values.ts'

const COUNT = 4

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
	const stop = new AbortController()
	process.once('SIGINT', () => stop.abort())
	try {
		const facts = await measure(client, address, {
			count, stop: stop.signal, say: json ? undefined : printLine,
		})
		if (json) printJson({ ...facts, ...more })
		else printLine(pingText(facts))
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
