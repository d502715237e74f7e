// What leads from here to a console: a serial line, or a CurveCP connection to the service console.

import { PassThrough, Writable } from 'node:stream'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { findPort, openLine, portText } from '../console/host-line.ts'
import type { SerialPortFact } from '../platform/serial-ports.ts'
import { readBaud } from '../platform/serial.ts'
import { parseAddress } from '../service/address.ts'
import { feed } from '../service/feed.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'

/** The other end has so long to say that it is done; else we leave without. */
const GOODBYE: Nanos = SECOND

/** why: undefined when it ended as it should. Called once, and never by close. */
export type Closed = (why: string | undefined) => void

export interface Wire {
	/** A serial line comes back when it is plugged in again. */
	readonly isSerial: boolean
	write(bytes: Uint8Array): void
	/** Nothing more comes from here; it closes when all is answered. Serial lines know no end. */
	endInput?(): void
	close(): void
}

/** where: a device or an address; undefined: the only serial adapter there is. */
export async function openWire(
	args: Arguments, where: string | undefined, received: (bytes: Uint8Array) => void,
	closed: Closed,
): Promise<Wire> {
	if (where?.startsWith('curvecp://') === true) {
		return await overCurvecp(args, where, received, closed)
	}
	const text = args.text('baud')
	const device = where ?? findPort().device
	const { line, baud } = await openLine({
		device, baud: text === undefined ? undefined : readBaud(text), received, closed, say,
	})
	for (const note of line.notes) say(note)
	if (process.stderr.isTTY) say(`${device} at ${baud} baud`)
	return { isSerial: true, write: (bytes) => line.write(bytes), close: () => line.close() }
}

export function portsText(ports: readonly SerialPortFact[]): string {
	if (ports.length === 0) return 'no serial adapter is plugged in'
	return ports.map(portText).join('\n')
}

async function overCurvecp(
	args: Arguments, where: string, received: (bytes: Uint8Array) => void, closed: Closed,
): Promise<Wire> {
	const address = parseAddress(where)
	const { client } = await openClient(args, 1, address)
	const connection = await client.open(() => undefined)
	const source = new PassThrough()
	const sink = new Writable({
		write(chunk: Buffer, _encoding, done) {
			received(chunk)
			done()
		},
	})
	feed(source, connection.join(source, sink))
	let isClosed = false
	void connection.over.then(() => {
		if (!isClosed) closed(connection.fault)
		client.close()
	})
	return {
		isSerial: false,
		write: (bytes) => source.write(bytes),
		endInput: () => source.end(),
		close: () => {
			isClosed = true
			source.end()
			const patience = setTimeout(() => client.close(), GOODBYE / MILLISECOND)
			void connection.over.then(() => clearTimeout(patience))
		},
	}
}

function say(text: string): void {
	process.stderr.write(`curvegate console: ${text}\r\n`)
}
