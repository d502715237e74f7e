// The C library through koffi. Pointers are plain numbers (uintptr_t): a call with small integers
// allocates nothing, where a BigInt or a number above 2^31 costs the heap 16 bytes and more. So the
// memory that the kernel and libsodium see lies low in the address space (arena.ts).

import { createRequire } from 'node:module'
import os from 'node:os'
import { Trouble, troubleOf } from '../trouble.ts'

/** The part of koffi that we use; its own types are there only when it is installed. */
interface Koffi {
	load(name: string): Library
	view(address: number, bytes: number): ArrayBuffer
	address(memory: ArrayBufferView): bigint
	errno(): number
}

export interface Library {
	func(prototype: string): (...args: (number | Uint8Array)[]) => number
}

export interface Libc {
	readonly load: (name: string) => Library
	readonly view: (address: number, bytes: number) => ArrayBuffer
	readonly address: (memory: ArrayBufferView) => number
	/** Of the last call; ask at once. */
	readonly errno: () => number
	readonly mmap: (
		hint: number, bytes: number, prot: number, flags: number, fd: number, offset: number,
	) => number
	readonly munmap: (address: number, bytes: number) => number
	readonly socket: (family: number, type: number, protocol: number) => number
	readonly bind: (fd: number, name: number, bytes: number) => number
	readonly connect: (fd: number, name: number, bytes: number) => number
	readonly getsockname: (fd: number, name: number, bytes: number) => number
	readonly setsockopt: (
		fd: number, level: number, option: number, value: number, bytes: number,
	) => number
	readonly getsockopt: (
		fd: number, level: number, option: number, value: number, bytes: number,
	) => number
	readonly recvmmsg: (
		fd: number, messages: number, count: number, flags: number, timeout: number,
	) => number
	readonly sendmmsg: (fd: number, messages: number, count: number, flags: number) => number
	readonly close: (fd: number) => number
	readonly eventfd: (value: number, flags: number) => number
	readonly pipe2: (fds: number, flags: number) => number
	readonly dup3: (from: number, to: number, flags: number) => number
	readonly timerfdCreate: (clock: number, flags: number) => number
	readonly timerfdSettime: (fd: number, flags: number, value: number, old: number) => number
	readonly syscall: (
		number: number, a: number, b: number, c: number, d: number, e: number,
	) => number
}

/** Free memory that glibc keeps of a heap; what it begins with, and raises unless it is told. */
const TRIM_BYTES = 131_072
const M_TRIM_THRESHOLD = -1

let loaded: Libc | Trouble | undefined

/** Loads once, and throws the same Trouble ever after when that failed. */
export function libc(): Libc {
	loaded ??= load()
	if (loaded instanceof Trouble) throw loaded
	return loaded
}

function load(): Libc | Trouble {
	const { platform, arch } = process
	// The layouts are those of 64-bit systems; a 32-bit ARM's mmsghdr has 32 bytes, its iovec 8.
	if (platform !== 'linux' || !['x64', 'arm64', 'riscv64'].includes(arch)) {
		const cause = `the fast path is for 64-bit Linux, this is ${platform} ${arch}`
		return new Trouble('load', 'koffi', cause)
	}
	try {
		const koffi: Koffi = createRequire(import.meta.url)('koffi')
		const library = koffi.load('libc.so.6')
		// Each of Node's threads has a heap there; what compiling took would never be given back.
		library.func('int mallopt(int, int)')(M_TRIM_THRESHOLD, TRIM_BYTES)
		return bindAll(koffi, library)
	} catch (error) {
		const cause = error instanceof Error ? error.message.split('\n')[0]! : String(error)
		return new Trouble('load', 'koffi', `${cause} (npm install koffi)`)
	}
}

function bindAll(koffi: Koffi, library: Library): Libc {
	const func = (prototype: string): ReturnType<Library['func']> => library.func(prototype)
	return {
		load: (name) => koffi.load(name),
		view: (address, bytes) => koffi.view(address, bytes),
		address: (memory) => Number(koffi.address(memory)),
		errno: () => koffi.errno(),
		mmap: func('uintptr_t mmap(uintptr_t, size_t, int, int, int, int64)'),
		munmap: func('int munmap(uintptr_t, size_t)'),
		socket: func('int socket(int, int, int)'),
		bind: func('int bind(int, uintptr_t, uint)'),
		connect: func('int connect(int, uintptr_t, uint)'),
		getsockname: func('int getsockname(int, uintptr_t, uintptr_t)'),
		setsockopt: func('int setsockopt(int, int, int, uintptr_t, uint)'),
		getsockopt: func('int getsockopt(int, int, int, uintptr_t, uintptr_t)'),
		recvmmsg: func('int recvmmsg(int, uintptr_t, uint, int, uintptr_t)'),
		sendmmsg: func('int sendmmsg(int, uintptr_t, uint, int)'),
		close: func('int close(int)'),
		eventfd: func('int eventfd(uint, int)'),
		pipe2: func('int pipe2(uintptr_t, int)'),
		dup3: func('int dup3(int, int, int)'),
		timerfdCreate: func('int timerfd_create(int, int)'),
		timerfdSettime: func('int timerfd_settime(int, int, uintptr_t, uintptr_t)'),
		syscall: func('long syscall(long, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
	}
}

const names = new Map(Object.entries(os.constants.errno).map(([name, number]) => [number, name]))
// Two numbers have two names each; these are the ones that we know.
for (const name of ['EAGAIN', 'EOPNOTSUPP'] as const) names.set(os.constants.errno[name], name)

export function errnoName(errno: number): string {
	return names.get(errno) ?? `errno ${errno}`
}

/** Throws Trouble with the system's name for what just failed. */
export function fail(action: string, object: string, errno = libc().errno()): never {
	const code = errnoName(errno)
	throw troubleOf(action, object, Object.assign(new Error(code), { code }))
}
