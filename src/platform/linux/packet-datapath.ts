// The packet datapath: packet sockets on both interfaces, the decision, and raw sockets for what it
// sends on, all in the same frames. Also the nftables datapath's helper, for what the kernel leaves
// to userspace: ICMP errors, IPv6 servers, and what was diverted.

import { readU16BE, type Bytes } from '../../base/bytes.ts'
import type { Random } from '../../base/random.ts'
import type { Nanos } from '../../base/time.ts'
import type { Forwarder, Side, Verdict } from '../../gateway/forward.ts'
import {
	FRAME_AT, FRAME_BYTES, IPV4_BYTES, IPV4_SOURCE, makeFrame, readAddress, replacePort, UDP_BYTES,
	TRAIN_BYTES, UDP_DESTINATION, UDP_SOURCE, type Frame,
} from '../../gateway/frame.ts'
import { cutTrain, trainStep } from '../../gateway/train.ts'
import { IPV6_BYTES } from '../../wire/ip.ts'
import { now } from '../clock.ts'
import { frameDatagram, type Broken, type Datapath, type Ends } from '../datapath.ts'
import { readTarget } from '../portable/relay-datapath.ts'
import { Relay } from '../portable/relay.ts'
import { arena } from './arena.ts'
import { filterIpv4, filterIpv6, filterLocal, ofSize, type Instruction, type Size } from './bpf.ts'
import { fail } from './libc.ts'
import {
	attachFilter, BATCH, ETHERTYPE_IPV4, ETHERTYPE_IPV6, openPacketSocket, openRawUdp, PacketSocket,
	take,
} from './packet-socket.ts'
import { holdPort, type HeldPort } from './port-holder.ts'
import { RawSender } from './raw-sender.ts'
import { openWaker, type Waker } from './waker.ts'

export interface PacketOptions {
	readonly wan: string
	readonly lan: string
	/** Source ports of local servers; undefined: any. */
	lanPorts(): readonly number[]
	/** False: the kernel forwards UDP; only errors, IPv6 and what it diverts are ours. */
	readonly udp: boolean
	/** A diverted packet was sent on, and is still the one that the tables speak of. */
	forwarded?(frame: Frame, publicPort: number): void
}

interface Listening {
	readonly socket: PacketSocket
	readonly ethertype: number
	readonly size: Size
	readonly waker: Waker
}

/** Trains that wait together; they are rare. */
const TRAINS = 4
const SIZES: readonly Size[] = ['packets', 'trains']
/** Batches that one turn takes from a socket before the others get theirs. */
const TURN_BATCHES = 8

export class PacketDatapath implements Datapath {
	readonly name = 'packet'
	readonly notes: string[] = []
	readonly #forwarder: Forwarder
	readonly #options: PacketOptions
	readonly #broken: Broken
	readonly #relay: Relay
	readonly #sockets: Listening[] = []
	readonly #senders = new Map<string, RawSender>()
	readonly #held: HeldPort[] = []
	/** Local port of what is diverted → the public port that it came to. */
	readonly #diverted = new Map<number, number>()
	readonly #injected: Frame
	/** What trains are cut into: as many as lie still until a flush. */
	readonly #cut: readonly Frame[]
	readonly #target = { address: new Uint8Array(IPV6_BYTES), isIpv6: false, port: 0 }
	#overruns = 0

	constructor(forwarder: Forwarder, options: PacketOptions, random: Random, broken: Broken) {
		this.#forwarder = forwarder
		this.#options = options
		this.#broken = broken
		this.#relay = new Relay((client, clientPort, publicPort, datagram) => {
			const from = this.#forwarder.tables.address
			this.#sendDatagram({ from, fromPort: publicPort, to: client, toPort: clientPort }, datagram)
		}, random)
		const memory = arena().bytes.buffer as ArrayBuffer
		this.#injected = makeFrame(memory, take(FRAME_BYTES))
		this.#cut = Array.from({ length: BATCH }, () => makeFrame(memory, take(FRAME_BYTES)))
	}

	async start(): Promise<void> {
		try {
			this.#open()
		} catch (error) {
			this.stop()
			throw error
		}
	}

	#open(): void {
		const { wan, lan, udp } = this.#options
		const { address, ports, clientsPrefix } = this.#forwarder.tables
		this.#listen(wan, 'wan', ETHERTYPE_IPV4, this.#filter(wan))
		if (wan !== lan) this.#listen(lan, 'lan', ETHERTYPE_IPV4, this.#filter(lan))
		if (clientsPrefix !== undefined) {
			this.#listen(lan, 'lan', ETHERTYPE_IPV6, filterIpv6(clientsPrefix))
			this.#senders.set('lan6', new RawSender('ipv6', lan))
		}
		this.#senders.set('wan', new RawSender('ipv4', wan))
		this.#senders.set('lan', new RawSender('ipv4', lan))
		this.#senders.set('mac', new RawSender('mac', lan))
		if (!udp) return
		for (const port of ports) {
			const held = holdPort(address, port)
			// In use is as good: a server of ours listens there, and the kernel stays silent.
			if (held !== undefined) this.#held.push(held)
		}
	}

	#listen(ifname: string, side: Side, ethertype: number, filter: readonly Instruction[]): void {
		const both = this.#options.wan === this.#options.lan
		for (const size of SIZES) {
			const fd = openPacketSocket(ifname, ethertype, ofSize(size, filter))
			this.#serve(fd, ifname, size, ethertype, (frame, time) => {
				this.#carry(frame, both ? this.#sideOf(frame) : side, time)
			})
		}
	}

	#serve(
		fd: number, ifname: string, size: Size, ethertype: number,
		carry: (frame: Frame, time: Nanos) => void,
	): void {
		const socket = size === 'packets' ? new PacketSocket(fd, ifname)
			: new PacketSocket(fd, ifname, TRAINS, TRAIN_BYTES)
		const use = (frame: Frame, time: Nanos): void => this.#cutAndCarry(frame, time, carry)
		const turn = (): void => {
			try {
				this.#turn(socket, waker, use, turn)
			} catch (error) {
				this.#broken(error)
			}
		}
		const waker = openWaker(socket.fd, turn)
		this.#sockets.push({ socket, ethertype, size, waker })
		waker.arm()
	}

	/** Takes what the kernel diverts; returns the local port for each public port. Before start. */
	openDiverts(): number[] {
		const { ports } = this.#forwarder.tables
		for (const port of ports) {
			const held = holdPort(0, 0)
			if (held === undefined) fail('find', 'free UDP port')
			this.#held.push(held)
			this.#diverted.set(held.port, port)
		}
		const locals = [...this.#diverted.keys()]
		for (const size of SIZES) {
			const fd = openRawUdp(ofSize(size, filterLocal(locals)))
			this.#serve(fd, 'divert', size, 0, (frame, time) => this.#receiveDiverted(frame, time))
		}
		return locals
	}

	/** Gives the packet its public port back, as if it had come from the wire. */
	#receiveDiverted(frame: Frame, time: Nanos): void {
		const udp = frame.at + IPV4_BYTES
		const publicPort = this.#diverted.get(readU16BE(frame.bytes, udp + UDP_DESTINATION))
		if (publicPort === undefined) return
		replacePort(frame, udp, UDP_DESTINATION, publicPort)
		const verdict = this.#carry(frame, 'wan', time)
		if (verdict.action === 'forward') this.#options.forwarded?.(frame, publicPort)
	}

	#turn(
		socket: PacketSocket, waker: Waker, use: (frame: Frame, time: Nanos) => void, again: () => void,
	): void {
		const time = now()
		for (let batches = 0; batches < TURN_BATCHES; batches++) {
			const n = socket.receive()
			if (socket.ifname === this.#options.wan) this.#forwarder.expect(socket.frames, n)
			for (let i = 0; i < n; i++) use(socket.frames[i]!, time)
			this.#flush()
			if (n < socket.frames.length) return waker.arm()
		}
		setImmediate(again)
	}

	/** A train of small packets may be no longer than one; what is none is left to the decision. */
	#cutAndCarry(train: Frame, time: Nanos, carry: (frame: Frame, time: Nanos) => void): void {
		const step = trainStep(train)
		if (step === 0) return carry(train, time)
		for (let i = 0; ; i++) {
			const frame = this.#cut[i % BATCH]!
			if (i > 0 && i % BATCH === 0) this.#flush()
			frame.at = FRAME_AT
			if (!cutTrain(train, step, i, frame)) break
			carry(frame, time)
		}
		this.#flush()
	}

	/** With one interface for both sides, the destination tells them apart. */
	#sideOf(frame: Frame): Side {
		const isIpv4 = frame.bytes[frame.at]! >> 4 === 4
		const to = readAddress(frame.bytes, frame.at + 16)
		return isIpv4 && to === this.#forwarder.tables.address ? 'wan' : 'lan'
	}

	#carry(frame: Frame, side: Side, time: number): Verdict {
		const verdict = this.#forwarder.decide(frame, side, time)
		if (verdict.action !== 'forward') return verdict
		const { bytes: p } = frame
		switch (verdict.way) {
			case 'wan':
			case 'mac':
				this.#senders.get(verdict.way)!.put(p, verdict.at, verdict.length, verdict.mac)
				break
			case 'lan':
				this.#senders.get(p[verdict.at]! >> 4 === 6 ? 'lan6' : 'lan')!
					.put(p, verdict.at, verdict.length, verdict.mac)
				break
			case 'own':
				this.#toOwn(frame, verdict)
		}
		return verdict
	}

	/**
	 * A server on this machine. Its answers leave by themselves, so their port cannot be put right:
	 * it gets a socket for each client instead. On a public port the kernel has delivered already.
	 */
	#toOwn(frame: Frame, verdict: Verdict): void {
		readTarget(frame, verdict, this.#target)
		const { tables } = this.#forwarder
		const publicPort = tables.asked
		if (this.#target.port === publicPort) return
		const { bytes: p } = frame
		const udp = verdict.at + IPV4_BYTES
		const datagram = p.subarray(udp + UDP_BYTES, verdict.at + verdict.length)
		const client = readAddress(p, verdict.at + IPV4_SOURCE) >>> 0
		this.#relay.forward(client, readU16BE(p, udp + UDP_SOURCE), publicPort,
			 this.#target, datagram)
	}

	#sendDatagram(ends: Ends, datagram: Bytes): void {
		frameDatagram(this.#injected, ends, datagram)
		this.#senders.get('wan')!.put(this.#injected.bytes, this.#injected.at, this.#injected.length,
			this.#forwarder.verdict.mac)
		this.#flush()
		this.#forwarder.forwardedOut++
	}

	#flush(): void {
		for (const sender of this.#senders.values()) sender.flush()
	}

	/** The tables are read at every packet; only the filters know ports by themselves. */
	async refresh(): Promise<void> {
		for (const { socket, ethertype, size } of this.#sockets) {
			if (ethertype !== ETHERTYPE_IPV4) continue
			attachFilter(socket.fd, ofSize(size, this.#filter(socket.ifname)))
		}
	}

	#filter(ifname: string): readonly Instruction[] {
		const { wan, lan, udp } = this.#options
		const { address, ports } = this.#forwarder.tables
		return filterIpv4({
			address,
			wanPorts: ifname !== wan ? undefined : udp ? ports : [],
			lanPorts: ifname !== lan ? undefined : udp ? this.#options.lanPorts() : [],
		})
	}

	losses(): Map<string, number> {
		const all = new Map(this.#relay.counters)
		for (const sender of this.#senders.values()) {
			for (const [name, n] of sender.losses) all.set(name, (all.get(name) ?? 0) + n)
		}
		for (const { socket } of this.#sockets) this.#overruns += socket.overruns()
		if (this.#overruns > 0) all.set('overrun', this.#overruns)
		return all
	}

	stop(): void {
		for (const { socket, waker } of this.#sockets) {
			waker.close()
			socket.close()
		}
		this.#sockets.length = 0
		for (const sender of this.#senders.values()) sender.close()
		this.#senders.clear()
		for (const held of this.#held) held.release()
		this.#held.length = 0
		this.#diverted.clear()
		this.#relay.close()
	}
}
