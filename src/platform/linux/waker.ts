// Wakes the event loop when a descriptor is readable, or at a time, without reading anything and
// without a buffer, a thread or a signal. The kernel's one-shot asynchronous poll (io_submit with
// IOCB_CMD_POLL, Linux 4.18) adds to an eventfd; node:net reads that eventfd into one fixed buffer,
// since it stands where a pipe stood when the stream was made.
//
// Measured beside it (ping-pong, p50 of the round trip; CPU of 5,700 answers): this 40 µs, 150 ms;
// SIGIO 29 µs, 124 ms, but it kills a process whose handler has gone, and worker threads have none;
// node:dgram 43 µs, 209 ms, with a buffer each; poll on a thread of libuv's pool 37 µs, but it
// keeps that thread, and the process from ending.

import net from 'node:net'
import type { Nanos } from '../../base/time.ts'
import { assert } from '../../base/assert.ts'
import { arena, reserve } from './arena.ts'
import { fail, libc } from './libc.ts'

/** Of the kernel's table: io_setup, io_destroy, io_submit, io_getevents, read. */
const CALLS = process.arch === 'x64'
	? { setup: 206, cancel: 210, submit: 209, getevents: 208, read: 0 }
	: { setup: 0, cancel: 3, submit: 2, getevents: 4, read: 63 }

const NONBLOCK_CLOEXEC = 0x80800
const CLOEXEC = 0x80000
const CLOCK_MONOTONIC = 1
const IOCB_CMD_POLL = 5
const IOCB_FLAG_RESFD = 1
const POLLIN = 1
const EVENTS = 4

/** Offsets in our piece of the arena. */
const CONTEXT = 0
const LIST = 64
const SOCKET_IOCB = 128
const TIMER_IOCB = 192
const RESULTS = 256
const TIME = 384
const COUNT = 416
const SCRATCH_BYTES = 448

/**
 * Closed wakers wait here for the next socket, as many as were ever open at once: to give one back
 * to the kernel (io_destroy) stops the whole process for tens of milliseconds.
 */
const parked: Waker[] = []

/** Throws Trouble when this kernel cannot. */
export function openWaker(fd: number, woken: () => void): Waker {
	const at = parked.findIndex((waker) => waker.isStill())
	const waker = at < 0 ? new Waker() : parked.splice(at, 1)[0]!
	waker.open(fd, woken)
	return waker
}

export class Waker {
	readonly #at: number
	readonly #context: number
	readonly #stream: net.Socket
	/** The eventfd under that stream. */
	readonly #place: number
	readonly #timer: number
	#woken: () => void = () => {}
	/** A poll is under way for the descriptor, for the timer. */
	#armed = false
	#timing = false
	#closed = true

	constructor() {
		const c = libc()
		this.#at = reserve(SCRATCH_BYTES)
		assert(this.#at >= 0, 'the arena has room for a waker')
		const { address, words } = arena()
		const base = address + this.#at
		const word = this.#at >> 2
		if (c.syscall(CALLS.setup, EVENTS, base + CONTEXT, 0, 0, 0) !== 0) {
			fail('use', 'asynchronous poll of the kernel (CONFIG_AIO)')
		}
		this.#context = words[word]! + words[word + 1]! * 2 ** 32
		this.#timer = c.timerfdCreate(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
		const [stream, place] = this.#makeStream()
		this.#stream = stream
		this.#place = place
		this.#writeIocb(TIMER_IOCB, this.#timer, place)
	}

	/** No poll of its former socket is under way any more. */
	isStill(): boolean {
		this.#collect()
		return !this.#armed && !this.#timing
	}

	open(fd: number, woken: () => void): void {
		this.#writeIocb(SOCKET_IOCB, fd, this.#place)
		this.#woken = woken
		this.#closed = false
		this.#stream.ref()
	}

	/** A stream on a pipe, whose place an eventfd takes before the event loop has looked at it. */
	#makeStream(): [net.Socket, number] {
		const c = libc()
		const { address, words } = arena()
		const fds = this.#at + RESULTS
		if (c.pipe2(address + fds, NONBLOCK_CLOEXEC) !== 0) fail('make', 'pipe')
		const place = words[fds >> 2]!
		const onread = { buffer: new Uint8Array(64), callback: () => this.#fired() }
		const options = { fd: place, readable: true, writable: false, onread }
		const stream = new net.Socket(options)
		stream.on('error', () => stream.destroy())
		const event = c.eventfd(0, NONBLOCK_CLOEXEC)
		if (event < 0 || c.dup3(event, place, CLOEXEC) < 0) fail('make', 'eventfd')
		c.close(event)
		c.close(words[(fds >> 2) + 1]!)
		return [stream, place]
	}

	/** struct iocb of linux/aio_abi.h; data, its first word, tells the two apart. */
	#writeIocb(at: number, fd: number, eventfd: number): void {
		const { words } = arena()
		const word = (this.#at + at) >> 2
		words[word] = at
		words[word + 4] = IOCB_CMD_POLL
		words[word + 5] = fd
		words[word + 6] = POLLIN
		words[word + 14] = IOCB_FLAG_RESFD
		words[word + 15] = eventfd
	}

	#submit(at: number): void {
		const { address, words } = arena()
		words[(this.#at + LIST) >> 2] = (address + this.#at + at) >>> 0
		words[((this.#at + LIST) >> 2) + 1] = Math.floor((address + this.#at + at) / 2 ** 32)
		const done = libc().syscall(CALLS.submit, this.#context, 1, address + this.#at + LIST, 0, 0)
		assert(done === 1, 'the kernel takes a poll')
	}

	/** One call of woken when the descriptor is readable, also when it is so already. */
	arm(): void {
		if (this.#armed || this.#closed) return
		this.#armed = true
		this.#submit(SOCKET_IOCB)
	}

	/** One call of woken after the delay; the latest delay counts. */
	wakeAfter(delay: Nanos): void {
		if (this.#closed) return
		const { address, words } = arena()
		const word = (this.#at + TIME) >> 2
		const nanos = Math.max(1, Math.ceil(delay))
		words[word + 4] = Math.floor(nanos / 1e9)
		words[word + 6] = nanos % 1e9
		libc().timerfdSettime(this.#timer, 0, address + this.#at + TIME, 0)
		if (this.#timing) return
		this.#timing = true
		this.#submit(TIMER_IOCB)
	}

	#fired(): boolean {
		const n = this.#collect()
		if (n > 0 && !this.#closed) this.#woken()
		return true
	}

	/** Takes note of polls that have ended; returns how many. */
	#collect(): number {
		const { address, words } = arena()
		const results = this.#at + RESULTS
		const n = libc().syscall(CALLS.getevents, this.#context, 0, EVENTS, address + results, 0)
		for (let i = 0; i < n; i++) {
			const fired = words[(results >> 2) + 8 * i]
			if (fired === SOCKET_IOCB) this.#armed = false
			if (fired === TIMER_IOCB) this.#timing = !this.#closed && this.#wasSetAnew()
		}
		return n
	}

	/** A delay that was set when this poll had ended, but was not heard yet, has a poll to come. */
	#wasSetAnew(): boolean {
		const to = arena().address + this.#at + COUNT
		if (libc().syscall(CALLS.read, this.#timer, to, 8, 0, 0) === 8) return false
		this.#submit(TIMER_IOCB)
		return true
	}

	/** Cancels what is under way; woken is not called again. Call it before the socket is closed. */
	close(): void {
		if (this.#closed) return
		this.#closed = true
		this.#woken = () => {}
		if (this.#armed) this.#cancel(SOCKET_IOCB)
		if (this.#timing) this.#cancel(TIMER_IOCB)
		this.#stream.unref()
		parked.push(this)
	}

	/** The poll ends soon, and lets go of its descriptor; collect hears of it. */
	#cancel(at: number): void {
		const base = arena().address + this.#at
		libc().syscall(CALLS.cancel, this.#context, base + at, base + RESULTS, 0, 0)
	}
}
