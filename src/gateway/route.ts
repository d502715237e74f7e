// Extension → target, a million entries with constant look-up, each with its counter. A row is half
// a cache line: of a million routes each new one is far from the processor, and costs that once.

import { assert } from '../base/assert.ts'
import { copy, same, type Bytes } from '../base/bytes.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { KeyIndex } from './key-index.ts'
import { MAC_BYTES, type Target } from './target.ts'

export const KIND_NONE = 0
export const KIND_IPV4 = 1
export const KIND_IPV6 = 2
export const KIND_MAC = 3
export const KIND_OWN = 4

/** An IPv6 address or a MAC lies in a place of this size. */
export const PLACE_BYTES = 16

// Row: extension (16), packets (8), IPv4 address (4), port (2), kind (1), zero (1)
const ROW_BYTES = 32
const PACKETS = EXTENSION_BYTES
const ADDRESS = 24
const PORT = 28
const KIND = 30

/** So many rows stay in the processor's cache. */
const NEAR_ROWS = 4096

export class RouteTable {
	/** Targets' IPv6 addresses or MACs; empty until the first such route comes. */
	places: Bytes = new Uint8Array(0)
	/** Routes to a MAC. */
	directCount = 0
	readonly #index: KeyIndex
	/** The index's rows, by what stands in them behind the extension. */
	readonly #packets: Float64Array
	readonly #addresses: Int32Array
	readonly #ports: Uint16Array
	readonly #bytes: Bytes

	constructor(capacity: number, k0: number, k1: number) {
		this.#index = new KeyIndex(capacity, EXTENSION_BYTES, k0, k1, ROW_BYTES)
		this.#bytes = this.#index.keys
		this.#packets = new Float64Array(this.#bytes.buffer)
		this.#addresses = new Int32Array(this.#bytes.buffer)
		this.#ports = new Uint16Array(this.#bytes.buffer)
	}

	get capacity(): number {
		return this.#index.capacity
	}

	get count(): number {
		return this.#index.count
	}

	/** Every row in use is below this. */
	get rows(): number {
		return this.#index.rows
	}

	/** The row of the extension at p[at], or -1. */
	find(p: Bytes, at: number): number {
		return this.#index.find(p, at)
	}

	/** See KeyIndex; so few rows are near anyway. */
	get isFar(): boolean {
		return this.#index.rows > NEAR_ROWS
	}

	expect(i: number, p: Bytes, at: number): void {
		this.#index.expect(i, p, at)
	}

	fetch(n: number): void {
		this.#index.fetch(n)
	}

	/** Inserts or replaces; -1 when the table is full, otherwise the row. */
	set(p: Bytes, at: number, target: Target): number {
		const row = this.#index.insert(p, at)
		if (row < 0) return -1
		const start = row * ROW_BYTES
		if (!this.isUsed(row)) this.#packets[(start + PACKETS) >> 3] = 0
		this.directCount += Number(target.kind === 'mac') - Number(this.kindOf(row) === KIND_MAC)
		this.#bytes[start + KIND] = kindOf(target)
		this.#ports[(start + PORT) >> 1] = target.kind === 'mac' ? 0 : target.port
		this.#addresses[(start + ADDRESS) >> 2] = target.kind === 'ipv4' ? target.address : 0
		if (target.kind === 'ipv6') this.#place(row, target.address)
		if (target.kind === 'mac') this.#place(row, target.mac)
		return row
	}

	/** False when it was not there. */
	delete(p: Bytes, at: number): boolean {
		const row = this.#index.remove(p, at)
		if (row < 0) return false
		this.directCount -= Number(this.kindOf(row) === KIND_MAC)
		this.#bytes[row * ROW_BYTES + KIND] = KIND_NONE
		return true
	}

	isUsed(row: number): boolean {
		return this.kindOf(row) !== KIND_NONE
	}

	/** KIND_…; KIND_NONE: the row is free. */
	kindOf(row: number): number {
		return this.#bytes[row * ROW_BYTES + KIND]!
	}

	/** Of an IPv4 target, as a signed integer. */
	addressOf(row: number): number {
		return this.#addresses[(row * ROW_BYTES + ADDRESS) >> 2]!
	}

	/** 0: the port stays what it was. */
	portOf(row: number): number {
		return this.#ports[(row * ROW_BYTES + PORT) >> 1]!
	}

	/** Packets that the row has sent on to its target. */
	packetsOf(row: number): number {
		return this.#packets[(row * ROW_BYTES + PACKETS) >> 3]!
	}

	countPacket(row: number): void {
		this.#packets[(row * ROW_BYTES + PACKETS) >> 3]!++
	}

	/** Whether a row leads to exactly this target. */
	leadsTo(row: number, target: Target): boolean {
		if (this.kindOf(row) !== kindOf(target)) return false
		const at = row * PLACE_BYTES
		switch (target.kind) {
			case 'ipv4':
				return this.addressOf(row) === (target.address | 0) && this.portOf(row) === target.port
			case 'own': return this.portOf(row) === target.port
			case 'ipv6':
				return this.portOf(row) === target.port
					&& same(this.places, at, target.address, 0, PLACE_BYTES)
			case 'mac': return same(this.places, at, target.mac, 0, MAC_BYTES)
		}
	}

	extensionOf(row: number, to: Bytes, at: number): void {
		copy(to, at, this.#bytes, row * ROW_BYTES, EXTENSION_BYTES)
	}

	targetOf(row: number): Target {
		const port = this.portOf(row)
		const at = row * PLACE_BYTES
		switch (this.kindOf(row)) {
			case KIND_IPV4: return { kind: 'ipv4', address: this.addressOf(row) >>> 0, port }
			case KIND_IPV6: return { kind: 'ipv6', address: this.places.slice(at, at + 16), port }
			case KIND_MAC: return { kind: 'mac', mac: this.places.slice(at, at + MAC_BYTES) }
		}
		assert(this.kindOf(row) === KIND_OWN, 'the row is in use')
		return { kind: 'own', port }
	}

	#place(row: number, bytes: Bytes): void {
		if (this.places.length === 0) this.places = new Uint8Array(this.capacity * PLACE_BYTES)
		this.places.set(bytes, row * PLACE_BYTES)
	}
}

function kindOf(target: Target): number {
	switch (target.kind) {
		case 'ipv4': return KIND_IPV4
		case 'ipv6': return KIND_IPV6
		case 'mac': return KIND_MAC
		case 'own': return KIND_OWN
	}
}
