// What this process may do to the network without being root: capabilities of the main thread
// alone, since no other thread manages anything. A child gets them only when they are lent to it:
// nft does, a service never. Without koffi there is nothing to keep, and nothing to take away.

import { readFileSync } from 'node:fs'
import { causeOf, Trouble } from '../trouble.ts'
import { fail, libc } from './libc.ts'

/** CAP_NET_ADMIN: nftables, interfaces. CAP_NET_RAW: packet and raw sockets. */
const NETWORK = 1 << 12 | 1 << 13

const PR_SET_KEEPCAPS = 8
const PR_CAP_AMBIENT = 47
const AMBIENT_RAISE = 2
const AMBIENT_CLEAR_ALL = 4
const CAPABILITY_VERSION_3 = 0x20080522

/** Those that this process holds although it is not root. */
let held = 0

interface Calls {
	prctl(option: number, a: number, b: number): void
	/** The main thread's capabilities below 32, and those that a child may get. */
	capset(own: number, inheritable: number): void
}

function calls(): Calls {
	const library = libc().load('libc.so.6')
	const prctl = library.func('int prctl(int, ulong, ulong, ulong, ulong)')
	const capset = library.func('int capset(uint8_t *, uint8_t *)')
	return {
		prctl: (option, a, b) => {
			if (prctl(option, a, b, 0, 0) < 0) fail('change', 'this process\'s capabilities')
		},
		capset: (own, inheritable) => {
			const header = new Uint8Array(Uint32Array.of(CAPABILITY_VERSION_3, 0).buffer)
			const data = Uint32Array.of(own, own, inheritable, 0, 0, 0)
			const done = capset(header, new Uint8Array(data.buffer))
			if (done < 0) fail('change', 'this process\'s capabilities')
		},
	}
}

/**
 * Runs become, which gives root up. manage: what the network needs stays with the main thread;
 * otherwise nothing does. Also for a process that was started with ambient capabilities: its
 * children do not inherit them any more. Returns what a person should know.
 */
export function giveUpRights(become: () => void, manage: boolean): string | undefined {
	const before = permitted()
	let c: Calls | undefined
	let missing = ''
	try {
		c = before === 0 ? undefined : calls()
	} catch (error) {
		missing = error instanceof Trouble ? error.message : causeOf(error)
	}
	const keep = manage ? before & NETWORK : 0
	if (keep !== 0) c?.prctl(PR_SET_KEEPCAPS, 1, 0)
	become()
	if (process.getuid?.() === 0 || before === 0) return undefined
	if (c === undefined) {
		return manage ? `${missing}: the gateway's rules cannot be changed` : undefined
	}
	c.prctl(PR_CAP_AMBIENT, AMBIENT_CLEAR_ALL, 0)
	c.capset(keep, 0)
	if (keep !== 0) c.prctl(PR_SET_KEEPCAPS, 0, 0)
	held = keep
	return undefined
}

/** Whoever start starts may do to the network what we may. */
export function lendRights<T>(start: () => T): T {
	if (held === 0) return start()
	const c = calls()
	c.capset(held, held)
	for (let bit = 0; bit < 32; bit++) {
		if ((held >>> bit & 1) === 1) c.prctl(PR_CAP_AMBIENT, AMBIENT_RAISE, bit)
	}
	try {
		return start()
	} finally {
		c.prctl(PR_CAP_AMBIENT, AMBIENT_CLEAR_ALL, 0)
		c.capset(held, 0)
	}
}

const SYS_CLOSE_RANGE = 436
const CLOSE_RANGE_CLOEXEC = 4
const FIRST_OF_OTHERS = 3
const LAST = 0x7fffffff

/**
 * Descriptors that whoever started us has left open are nothing for the programs that we start.
 * Node sees to the first few; the kernel does all since 5.11.
 */
export function keepDescriptors(): void {
	try {
		libc().syscall(SYS_CLOSE_RANGE, FIRST_OF_OTHERS, LAST, CLOSE_RANGE_CLOEXEC, 0, 0)
	} catch {
		// Without koffi the first few are all.
	}
}

/** The main thread's permitted capabilities below 32; 0: none, or a system without them. */
function permitted(): number {
	try {
		const status = readFileSync('/proc/self/status', 'utf8')
		const [, digits] = /^CapPrm:\s*([0-9a-f]+)$/m.exec(status) ?? []
		return parseInt((digits ?? '').slice(-8), 16) || 0
	} catch {
		return 0
	}
}
