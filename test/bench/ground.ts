// Where a transfer takes place: two sides, each pinned to a core of its own, over loopback or in
// two namespaces of our own, joined by a veth pair.

import { closeSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { Network } from '../support/netns.ts'
import {
	makeFolder, start, type Owner, type Started, type StartOptions,
} from '../support/processes.ts'
import { findProgram } from '../support/programs.ts'
import { timed } from './bench.ts'

export interface Side {
	readonly address: string
	/** Runs a program here, on this side's core. */
	start(command: string, args: readonly string[], options?: StartOptions): Started
	/** The same, until it has ended; throws when it fails. */
	run(command: string, args: readonly string[]): Promise<void>
}

export interface Ground {
	readonly server: Side
	readonly client: Side
}

export type MakeGround = (owner: Owner) => Ground

function side(owner: Owner, core: number, address: string, inside: readonly string[]): Side {
	const [first, ...rest] = [...inside, 'taskset', '-c', String(core % cpus().length)]
	const begin: Side['start'] = (command, args, options) =>
		start(owner, first!, [...rest, findProgram(command) ?? command, ...args], options)
	return {
		address,
		start: begin,
		run: async (command, args) => {
			const program = begin(command, args)
			const { code } = await program.ended
			if (code !== 0) throw new Error(`${command} ended with ${code}: ${program.stderr()}`)
		},
	}
}

export const loopback: MakeGround = (owner) => ({
	server: side(owner, 0, '127.0.0.1', []),
	client: side(owner, 1, '127.0.0.1', []),
})

/** The server is 10.98.0.1, the client 10.98.0.2. */
export const namespaces: MakeGround = (owner) => {
	const network = new Network(owner)
	const [server, client] = [network.box('s'), network.box('c')]
	server.ip(`link add eth0 type veth peer name eth0 netns ${client.ns}`)
	const sides = [server, client].map((box, i) => {
		const address = `10.98.0.${i + 1}`
		box.ip(`addr add ${address}/24 dev eth0`)
		box.ip('link set eth0 up')
		return side(owner, i, address, ['ip', 'netns', 'exec', box.ns])
	})
	return { server: sides[0]!, client: sides[1]! }
}

/** When the process, or another of its namespace, has bound the port. */
export async function untilListening(
	process: Started, protocol: 'udp' | 'tcp', port: number,
): Promise<void> {
	const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
	const table = (name: string): string[] =>
		readFileSync(`/proc/${process.pid}/net/${name}`, 'latin1').split('\n')
	const bound = (): boolean => [...table(protocol), ...table(`${protocol}6`)].some((line) =>
		line.trim().split(/\s+/)[1]?.endsWith(end) === true)
	await process.until(bound, `${protocol} port ${port}`)
}

export const MEGABYTE = 1_000_000

/** A file of zeros, read once: its pages are there before a clock runs. */
export function zeros(owner: Owner, megabytes: number): string {
	const path = join(makeFolder(owner), 'zeros')
	const file = openSync(path, 'w+')
	ftruncateSync(file, megabytes * MEGABYTE)
	const chunk = new Uint8Array(1 << 20)
	while (readSync(file, chunk) > 0) continue
	closeSync(file)
	return path
}

export interface Moved {
	readonly megabytes: number
	readonly seconds: number
	/** Of all processes of both sides. */
	readonly cpuSeconds: number
}

/** Moves so many megabytes from one side to the other. */
export type Mover = (owner: Owner, ground: Ground, megabytes: number) => Promise<Moved>

/**
 * Times the work, whose own processes end with it; staying: those that serve it and go on. What the
 * kernel does for a packet counts for whoever sent it.
 */
export async function move(
	megabytes: number, staying: readonly Started[], work: () => Promise<unknown>,
): Promise<Moved> {
	const cpu = (): number =>
		staying.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), endedCpuSeconds())
	const before = cpu()
	const seconds = await timed(work)
	return { megabytes, seconds, cpuSeconds: cpu() - before }
}

/** User and system time of a process and its waited-for children, so far. */
export function cpuSecondsOf(pid: number): number {
	return statOf(String(pid)).slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / 100
}

/** Of all children of ours that have ended and were waited for. */
function endedCpuSeconds(): number {
	const [, , children, system] = statOf('self').slice(11, 15)
	return (children! + system!) / 100
}

function statOf(pid: string): number[] {
	return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ').map(Number)
}
