// Which address and port on the local side is one of ours: the sources whose packets leave under
// the public address. Counted, since several extensions may lead to one server.

import {
	copy, fill, readU16BE, readU32BE, writeU16BE, writeU32BE, type Bytes,
} from '../base/bytes.ts'
import { IPV6_BYTES } from '../wire/ip.ts'
import { KeyIndex } from './key-index.ts'
import type { Target } from './target.ts'

// Key: IPv6 address (16) or zeros (12) and an IPv4 address (4), then the port (2) and zeros (2).
const KEY_PORT = IPV6_BYTES
const KEY_BYTES = IPV6_BYTES + 4

export class Locals {
	readonly #index: KeyIndex
	/** How many routes stand behind each row. */
	readonly #uses: Int32Array
	readonly #key: Bytes = new Uint8Array(KEY_BYTES)

	constructor(capacity: number, k0: number, k1: number) {
		this.#index = new KeyIndex(capacity, KEY_BYTES, k0, k1)
		this.#uses = new Int32Array(capacity)
	}

	get count(): number {
		return this.#index.count
	}

	/** port 0 stands for every gateway port. */
	has4(address: number, port: number): boolean {
		this.#key4(address, port)
		return this.#index.find(this.#key, 0) >= 0
	}

	has6(p: Bytes, at: number, port: number): boolean {
		this.#key6(p, at, port)
		return this.#index.find(this.#key, 0) >= 0
	}

	/**
	 * True when it was not yet there. Targets that send nothing back through us are no locals. There
	 * are never more locals than routes, so that one always fits.
	 */
	add(target: Target): boolean {
		if (!this.#keyOf(target)) return false
		const row = this.#index.insert(this.#key, 0)
		return this.#uses[row]!++ === 0
	}

	/** True when that was its last use. */
	remove(target: Target): boolean {
		if (!this.#keyOf(target)) return false
		const row = this.#index.find(this.#key, 0)
		if (row < 0 || --this.#uses[row]! > 0) return false
		this.#index.remove(this.#key, 0)
		return true
	}

	/** Each of them once, as a target. */
	* targets(): Generator<Target> {
		for (let row = 0; row < this.#index.rows; row++) {
			if (this.#uses[row] === 0) continue
			const at = row * KEY_BYTES
			const keys = this.#index.keys
			const port = readU16BE(keys, at + KEY_PORT)
			let zeros = 0
			while (zeros < 12 && keys[at + zeros] === 0) zeros++
			yield zeros === 12
				? { kind: 'ipv4', address: readU32BE(keys, at + 12), port }
				: { kind: 'ipv6', address: keys.slice(at, at + IPV6_BYTES), port }
		}
	}

	#keyOf(target: Target): boolean {
		if (target.kind === 'ipv4') this.#key4(target.address, target.port)
		else if (target.kind === 'ipv6') this.#key6(target.address, 0, target.port)
		else return false
		return true
	}

	#key4(address: number, port: number): void {
		fill(this.#key, 0, 12, 0)
		writeU32BE(this.#key, 12, address)
		writeU16BE(this.#key, KEY_PORT, port)
	}

	#key6(p: Bytes, at: number, port: number): void {
		copy(this.#key, 0, p, at, IPV6_BYTES)
		writeU16BE(this.#key, KEY_PORT, port)
	}
}
