// The host's end of a serial line: which port, at which speed, and what it means when nobody
// answers.

import { setTimeout as pause } from 'node:timers/promises'
import { openSerial, type SerialLine } from '../platform/serial.ts'
import { listPorts, type SerialPortFact } from '../platform/serial-ports.ts'
import { Trouble, Usage } from '../platform/trouble.ts'
import { clean } from '../service/quantity-text.ts'

/** The usual ones, the likeliest first. */
export const SPEEDS = [115_200, 9600, 57_600, 38_400, 19_200, 230_400, 460_800, 921_600, 1_500_000]
/** A console answers an empty line at once. */
const ANSWER_MILLIS = 500
const LOOK_MILLIS = 20
const RIGHT_SHARE = 0.9

export interface LineOptions {
	readonly device: string
	/** undefined: found by trying. */
	readonly baud: number | undefined
	received(bytes: Uint8Array): void
	closed(why: string): void
	/** What goes on, for people. */
	say(text: string): void
}

export interface HostLine {
	readonly line: SerialLine
	readonly baud: number
}

/** The only port that it can be; throws Usage when the choice is the user's. */
export function findPort(ports: readonly SerialPortFact[] = listPorts()): SerialPortFact {
	const adapters = ports.filter(({ isAdapter }) => isAdapter)
	const likely = adapters.length > 0 ? adapters : ports
	const [only, another] = likely
	if (only === undefined) {
		throw new Trouble('find', 'a serial adapter', 'none is plugged in; a built-in port is named, '
			+ 'as curvegate console /dev/ttyS0')
	}
	if (another === undefined) return only
	throw new Usage(`several serial adapters, say which:\n${likely.map(portText).join('\n')}`)
}

export function portText({ device, vendor, product, byId }: SerialPortFact): string {
	const what = [vendor, product].filter((one) => one !== '').map(clean).join(' ')
	const id = byId === undefined ? '' : `  ${byId}`
	return `  ${device}  ${what === '' ? 'of unknown make' : what}${id}`
}

/** Throws Trouble: no such port, held, or nobody answers at any speed. */
export async function openLine(options: LineOptions): Promise<HostLine> {
	const { device, baud, received, closed, say } = options
	const open = async (speed: number, take: (bytes: Uint8Array) => void): Promise<SerialLine> =>
		await openSerial({
			device, baud: speed, driver: 'serialport', received: take, drained: () => undefined, closed,
		})
	if (baud !== undefined) return { line: await open(baud, received), baud }
	let heard = 0
	for (const speed of SPEEDS) {
		const came: number[] = []
		let taken: ((bytes: Uint8Array) => void) | undefined
		const line = await open(speed, (bytes) => {
			if (taken === undefined) came.push(...bytes)
			else taken(bytes)
		})
		line.write(Uint8Array.of(0x0d))
		for (let waited = 0; waited < ANSWER_MILLIS; waited += LOOK_MILLIS) {
			await pause(LOOK_MILLIS)
			if (!isAnswer(came)) continue
			taken = received
			received(Uint8Array.from(came))
			return { line, baud: speed }
		}
		heard += came.length
		line.close()
		if (speed === SPEEDS[0]) say(`no answer at ${speed} baud, trying others`)
	}
	throw new Trouble('reach', `a console on ${device}`, heard === 0
		? 'no answer at any speed: cable? Are TX and RX crossed, is ground connected, has the board '
			+ 'power? --baud N opens it all the same'
		: 'something answers, but at none of the usual speeds: --baud N says which')
}

/** At the wrong speed there is nothing, or nothing that could be read. */
export function isAnswer(bytes: readonly number[]): boolean {
	const right = bytes.filter((byte) => (byte >= 0x20 && byte < 0x7f)
		|| [0x07, 0x08, 0x09, 0x0a, 0x0d, 0x1b].includes(byte)).length
	return bytes.length >= 2 && right >= RIGHT_SHARE * bytes.length
}
