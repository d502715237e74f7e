// Extension → target, a million entries with constant look-up, each with its counter. Targets lie
// in columns, not in objects: what the data path reads of a row is a few numbers.

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

export class RouteTable {
	/** KIND_… of each row; KIND_NONE: free. */
	readonly kinds: Uint8Array
	/** Target port of each row; 0: unchanged. */
	readonly ports: Uint16Array
	/** IPv4 targets' addresses, as signed integers. */
	readonly addresses: Int32Array
	/** Targets' IPv6 addresses or MACs; empty until the first such route comes. */
	places: Bytes = new Uint8Array(0)
	/** Packets that each row has sent on to its target. */
	readonly packets: Float64Array
	readonly #index: KeyIndex

	constructor(capacity: number, k0: number, k1: number) {
		this.#index = new KeyIndex(capacity, EXTENSION_BYTES, k0, k1)
		this.kinds = new Uint8Array(capacity)
		this.ports = new Uint16Array(capacity)
		this.addresses = new Int32Array(capacity)
		this.packets = new Float64Array(capacity)
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

	/** Inserts or replaces; -1 when the table is full, otherwise the row. */
	set(p: Bytes, at: number, target: Target): number {
		const row = this.#index.insert(p, at)
		if (row < 0) return -1
		if (this.kinds[row] === KIND_NONE) this.packets[row] = 0
		this.kinds[row] = kindOf(target)
		this.ports[row] = target.kind === 'mac' ? 0 : target.port
		this.addresses[row] = target.kind === 'ipv4' ? target.address : 0
		if (target.kind === 'ipv6') this.#place(row, target.address)
		if (target.kind === 'mac') this.#place(row, target.mac)
		return row
	}

	/** False when it was not there. */
	delete(p: Bytes, at: number): boolean {
		const row = this.#index.remove(p, at)
		if (row < 0) return false
		this.kinds[row] = KIND_NONE
		return true
	}

	isUsed(row: number): boolean {
		return this.kinds[row] !== KIND_NONE
	}

	/** Whether a row leads to exactly this target. */
	leadsTo(row: number, target: Target): boolean {
		if (this.kinds[row] !== kindOf(target)) return false
		const at = row * PLACE_BYTES
		switch (target.kind) {
			case 'ipv4':
				return this.addresses[row] === (target.address | 0) && this.ports[row] === target.port
			case 'own': return this.ports[row] === target.port
			case 'ipv6':
				return this.ports[row] === target.port
					&& same(this.places, at, target.address, 0, PLACE_BYTES)
			case 'mac': return same(this.places, at, target.mac, 0, MAC_BYTES)
		}
	}

	extensionOf(row: number, to: Bytes, at: number): void {
		copy(to, at, this.#index.keys, row * EXTENSION_BYTES, EXTENSION_BYTES)
	}

	targetOf(row: number): Target {
		const port = this.ports[row]!
		const at = row * PLACE_BYTES
		switch (this.kinds[row]) {
			case KIND_IPV4: return { kind: 'ipv4', address: this.addresses[row]! >>> 0, port }
			case KIND_IPV6: return { kind: 'ipv6', address: this.places.slice(at, at + 16), port }
			case KIND_MAC: return { kind: 'mac', mac: this.places.slice(at, at + MAC_BYTES) }
		}
		assert(this.kinds[row] === KIND_OWN, 'the row is in use')
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
