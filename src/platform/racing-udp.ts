// A client's sockets while it races for a Cookie: one for each host, connected, so that the kernel
// tells of unreachable ones. When a host has won its socket alone stays, disconnected before the
// first Initiate goes out, so that the client may move and the server may answer from elsewhere.

import type { Slot } from '../base/slots.ts'
import type { Nanos } from '../base/time.ts'
import type { Host } from '../endpoint/race.ts'
import type { Udp, UdpCounters, UdpHandlers } from './udp.ts'

/** Opens one socket for each host; `bound`: one fixed address and port, so one socket for all. */
export async function openRacingUdp(
	open: () => Promise<Udp>, hosts: readonly Host[], bound: boolean,
): Promise<RacingUdp> {
	const sockets: Udp[] = []
	try {
		for (const { address, port } of bound ? hosts.slice(0, 1) : hosts) {
			const socket = await open()
			sockets.push(socket)
			if (!bound) socket.connect(address, port)
		}
	} catch (error) {
		for (const socket of sockets) socket.close()
		throw error
	}
	return new RacingUdp(sockets)
}

export class RacingUdp implements Udp {
	#sockets: readonly Udp[]

	constructor(sockets: readonly Udp[]) {
		this.#sockets = sockets
	}

	get #first(): Udp {
		return this.#sockets[0]!
	}

	get name(): string {
		return this.#first.name
	}

	get address(): number {
		return this.#first.address
	}

	get port(): number {
		return this.#first.port
	}

	get counters(): UdpCounters {
		return this.#first.counters
	}

	get notes(): readonly string[] {
		return this.#first.notes
	}

	/** The race is over: the winner's socket stays, and hears and reaches everybody from now on. */
	settle(winner: number): void {
		const stays = this.#sockets[winner] ?? this.#first
		for (const socket of this.#sockets) if (socket !== stays) socket.close()
		this.#sockets = [stays]
		stays.connect(0, 0)
	}

	listen(handlers: UdpHandlers): void {
		for (const socket of this.#sockets) socket.listen(handlers)
	}

	receiveBatch(slots: readonly Slot[], count: number): number {
		if (this.#sockets.length === 1) return this.#first.receiveBatch(slots, count)
		let received = 0
		for (const socket of this.#sockets) {
			if (received < count) received += socket.receiveBatch(slots.slice(received), count - received)
		}
		return received
	}

	/** A slot's local names its host while they race; to the kernel it would be our own address. */
	sendBatch(slots: readonly Slot[], from: number, count: number): number {
		const racing = this.#sockets.length > 1
		for (let i = from; i < from + count; i++) {
			const slot = slots[i]!
			const socket = this.#sockets[slot.local - 1] ?? this.#first
			slot.local = 0
			if (racing && socket.sendBatch(slots, i, 1) === 0) return i - from
		}
		return racing ? count : this.#first.sendBatch(slots, from, count)
	}

	wakeAfter(delay: Nanos): boolean {
		return this.#first.wakeAfter(delay)
	}

	connect(address: number, port: number): void {
		this.#first.connect(address, port)
	}

	close(): void {
		for (const socket of this.#sockets) socket.close()
	}
}
