// The raw datapath: the npm package raw-socket, for systems without nft and packet sockets. A raw
// socket hears only what is delivered locally, so packets of local servers are routed to this
// machine by a rule of our own. No MACs, no IPv6, no ICMP from the local side.

import { spawnSync } from 'node:child_process'
import dgram from 'node:dgram'
import { createRequire } from 'node:module'
import type { Forwarder } from '../../gateway/forward.ts'
import {
	FRAME_AT, FRAME_BYTES, IPV4_DESTINATION, makeFrame, PROTOCOL_ICMP, PROTOCOL_UDP, readAddress,
	TRAIN_BYTES, type Frame,
} from '../../gateway/frame.ts'
import { cutTrain, trainStep } from '../../gateway/train.ts'
import { now } from '../clock.ts'
import type { Broken, Datapath } from '../datapath.ts'
import { lendRights } from '../linux/rights.ts'
import { Trouble } from '../trouble.ts'
import { addressText, count, type UdpCounters } from '../udp.ts'

/** What we use of the package: the wrap itself, since its own queue re-arms for each packet. */
interface Wrap {
	recv(buffer: Buffer, done: (buffer: Buffer, bytes: number, source: string) => void): void
	send(
		buffer: Buffer, at: number, n: number, address: string, done: (bytes: number) => void,
	): void
	close(): void
	on(event: string, handler: (error: Error) => void): void
	removeAllListeners(): void
	pause(receive: boolean, send: boolean): void
	setOption(level: number, option: number, value: Buffer | number, length?: number): void
}

interface RawSocketPackage {
	createSocket(options: { protocol: number, bufferSize: number }): { readonly wrap: Wrap }
	readonly SocketLevel: Readonly<Record<string, number>>
	readonly SocketOption: Readonly<Record<string, number>>
}

const IPPROTO_RAW = 255
const BUFFER_BYTES = 4 << 20
/** Packets that one turn takes before others get theirs. */
const TURN = 256
const SMALLEST_BUFFER = 1
/** Our routing table and rules, by their number: unlikely to be somebody else's. */
const TABLE = 43_117

export interface RawOptions {
	readonly wan: string
	readonly lan: string
	lanPorts(): readonly number[]
}

/** Why the package cannot be used; undefined when it can. */
export function rawMissing(): string | undefined {
	try {
		load()
		return undefined
	} catch (error) {
		return error instanceof Error ? error.message.split('\n')[0] : String(error)
	}
}

function load(): RawSocketPackage {
	return createRequire(import.meta.url)('node-raw-socket') as RawSocketPackage
}

export class RawDatapath implements Datapath {
	readonly name = 'raw'
	readonly notes = [
		'no direct server return, no IPv6 servers, no ICMP errors from the local side',
	]
	readonly #forwarder: Forwarder
	readonly #options: RawOptions
	readonly #broken: Broken
	/** Kept here: a wrap that nobody refers to is collected, and closes without a word. */
	readonly #wraps = new Map<string, Wrap>()
	readonly #held: dgram.Socket[] = []
	readonly #losses: UdpCounters = new Map()
	/** A packet as it comes, perhaps a train; and one of those that a train is cut into. */
	readonly #frame: Frame = makeFrame(new ArrayBuffer(TRAIN_BYTES), 0, TRAIN_BYTES)
	readonly #cut: Frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	readonly #buffer: Buffer
	readonly #buffers: ReadonlyMap<Frame, Buffer>
	#ruled: readonly number[] = []

	constructor(forwarder: Forwarder, options: RawOptions, broken: Broken) {
		this.#forwarder = forwarder
		this.#options = options
		this.#broken = broken
		this.#buffers = new Map([this.#frame, this.#cut].map((frame) =>
			[frame, Buffer.from(frame.bytes.buffer)]))
		this.#buffer = this.#buffers.get(this.#frame)!.subarray(FRAME_AT)
	}

	async start(): Promise<void> {
		try {
			this.#listen('udp', PROTOCOL_UDP)
			this.#listen('icmp', PROTOCOL_ICMP)
			this.#sender('wan', this.#options.wan)
			this.#sender('lan', this.#options.lan)
			await this.#hold()
			await this.refresh()
		} catch (error) {
			this.stop()
			throw error
		}
	}

	#listen(name: string, protocol: number): void {
		const wrap = this.#open(name, protocol)
		wrap.on('recvReady', () => this.#turn(wrap))
		wrap.pause(false, true)
	}

	#sender(name: string, ifname: string): void {
		const wrap = this.#open(name, IPPROTO_RAW)
		const { SocketLevel, SocketOption } = load()
		const text = Buffer.from(`${ifname}\0`)
		wrap.setOption(SocketLevel['SOL_SOCKET']!, SocketOption['SO_BINDTODEVICE']!, text, text.length)
		wrap.pause(true, true)
	}

	#open(name: string, protocol: number): Wrap {
		const { createSocket, SocketLevel, SocketOption } = load()
		let wrap: Wrap
		try {
			wrap = createSocket({ protocol, bufferSize: 64 }).wrap
			// Its own handlers take one packet a wake-up, and before ours.
			wrap.removeAllListeners()
			for (const option of ['SO_RCVBUF', 'SO_SNDBUF']) {
				wrap.setOption(SocketLevel['SOL_SOCKET']!, SocketOption[option]!, BUFFER_BYTES)
			}
		} catch (error) {
			const cause = error instanceof Error ? error.message : String(error)
			throw new Trouble('open', 'raw socket (needs CAP_NET_RAW)', cause)
		}
		wrap.on('error', this.#broken)
		this.#wraps.set(name, wrap)
		return wrap
	}

	/**
	 * The kernel would answer "port unreachable" if nobody had the port. Node reads what comes in any
	 * case: the smallest buffer lets the kernel drop most of it.
	 */
	async #hold(): Promise<void> {
		const { address, ports } = this.#forwarder.tables
		for (const port of ports) {
			const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: SMALLEST_BUFFER })
			const bound = await new Promise<boolean>((resolve) => {
				socket.once('error', () => resolve(false))
				socket.bind({ port, address: addressText(address), exclusive: true }, () => resolve(true))
			})
			// In use is as good: a server of ours listens there.
			if (bound) this.#held.push(socket)
			else socket.close()
		}
	}

	#turn(wrap: Wrap): void {
		const time = now()
		for (let i = 0; i < TURN; i++) {
			try {
				wrap.recv(this.#buffer, (_buffer, bytes) => this.#receive(bytes, time))
			} catch {
				// Nothing more waits.
				return
			}
		}
	}

	#receive(n: number, time: number): void {
		const frame = this.#frame
		frame.at = FRAME_AT
		frame.length = n
		const step = trainStep(frame)
		if (step === 0) return this.#carry(frame, time)
		for (let i = 0; ; i++) {
			this.#cut.at = FRAME_AT
			if (!cutTrain(frame, step, i, this.#cut)) return
			this.#carry(this.#cut, time)
		}
	}

	#carry(frame: Frame, time: number): void {
		const to = readAddress(frame.bytes, FRAME_AT + IPV4_DESTINATION)
		const side = to === this.#forwarder.tables.address ? 'wan' : 'lan'
		const verdict = this.#forwarder.decide(frame, side, time)
		if (verdict.action !== 'forward') return
		const isIpv6 = frame.bytes[verdict.at]! >> 4 === 6
		if (isIpv6) return count(this.#losses, 'IPv6 target')
		if (verdict.way === 'mac') return count(this.#losses, 'mac target')
		// A server on this machine and this port has its copy from the kernel already.
		if (verdict.way === 'own') return count(this.#losses, 'own target')
		const address = addressText(readAddress(frame.bytes, verdict.at + IPV4_DESTINATION))
		try {
			this.#wraps.get(verdict.way)!
				.send(this.#buffers.get(frame)!, verdict.at, verdict.length, address, ignore)
		} catch (error) {
			count(this.#losses, error instanceof Error ? error.message : String(error))
		}
	}

	/** Routes what local servers send to this machine, by their source ports. */
	async refresh(): Promise<void> {
		const ports = this.#options.lanPorts()
		for (const port of this.#ruled) if (!ports.includes(port)) this.#rule('del', port)
		if (this.#ruled.length === 0) {
			this.#sweep()
			ip(['route', 'replace', 'local', '0.0.0.0/0', 'dev', 'lo', 'table', String(TABLE)])
		}
		for (const port of ports) if (!this.#ruled.includes(port)) this.#rule('add', port)
		this.#ruled = [...ports]
	}

	#rule(verb: 'add' | 'del', port: number): void {
		ip(['rule', verb, 'iif', this.#options.lan, 'ipproto', 'udp', 'sport', String(port),
			'lookup', String(TABLE)])
	}

	/** What a predecessor left: rules to our table. */
	#sweep(): void {
		for (let i = 0; i < 1000; i++) {
			const words = ['rule', 'del', 'lookup', String(TABLE)]
			if (spawnIp(words).status !== 0) return
		}
	}

	losses(): Map<string, number> {
		return new Map(this.#losses)
	}

	stop(): void {
		for (const wrap of this.#wraps.values()) wrap.close()
		this.#wraps.clear()
		for (const socket of this.#held) socket.close()
		this.#held.length = 0
		if (this.#ruled.length === 0) return
		this.#sweep()
		spawnIp(['route', 'flush', 'table', String(TABLE)])
		this.#ruled = []
	}
}

function ignore(): void {
	// What the kernel refused was thrown.
}

function ip(words: readonly string[]): void {
	const { status, stderr } = spawnIp(words)
	if (status === 0) return
	throw new Trouble('run', `ip ${words.join(' ')}`, (stderr ?? 'no ip command').trim())
}

function spawnIp(words: readonly string[]): { status: number | null, stderr: string | null } {
	return lendRights(() => spawnSync('ip', words, { encoding: 'utf8' }))
}
