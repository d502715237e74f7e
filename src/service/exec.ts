// The services exec and handler: a program for each connection. exec has the stream on its standard
// input and output; handler, one of NaCl's message handlers, has messages on descriptors 8 and 9.

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { Readable, Writable } from 'node:stream'
import { assert } from '../base/assert.ts'
import { MILLISECOND } from '../base/time.ts'
import { PROGRAM_EXIT, PROGRAM_TAIL } from '../limits.ts'
import { MessageQueue } from '../message/queue.ts'
import { passed } from '../platform/descriptors.ts'
import { EXIT_TROUBLE, causeOf } from '../platform/trouble.ts'
import type { Service, ServiceContext } from './service.ts'
import { serviceText, type ProgramSpec } from './spec.ts'
import { Pump } from './stream.ts'

/** Standard output of a handler is nobody's stream: it goes where the server's messages go. */
const HANDLER_STDIO = [
	'ignore', 2, 'inherit', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe', 'pipe',
] as const
const HANDLER_IN = 8
const HANDLER_OUT = 9

export class ProgramService implements Service {
	/** How it ended: its exit code, or 111 when it had none. */
	readonly exited: Promise<number>
	readonly #context: ServiceContext
	readonly #spec: ProgramSpec
	readonly #pump: Pump
	readonly #child: ChildProcess | undefined
	#source: Readable | undefined
	/** Its output is over; how it exited. */
	#closed = false
	#exit: 'success' | 'failure' | undefined
	#timer: NodeJS.Timeout | undefined
	#over = false

	constructor(spec: ProgramSpec, context: ServiceContext) {
		this.#context = context
		this.#spec = spec
		this.#pump = new Pump({
			stream: context.stream,
			clock: context.clock,
			touch: (now) => context.touch(now),
			peerFailed: () => this.#leave(false),
		})
		const { programs, peer } = context
		const { words, inherited } = spec
		this.#child = inherited === undefined ? programs.start(words, peer, stdioOf(spec))
			: programs.startPlain(words, stdioOf(spec))
		this.exited = exitOf(this.#child)
		if (this.#child === undefined) this.#failed('too many programs run already')
		else this.#watch(this.#child)
	}

	advance(): void {
		this.#pump.advance(this.#context.clock())
	}

	over(complete: boolean): void {
		if (this.#over) return
		this.#over = true
		clearTimeout(this.#timer)
		this.#pump.close()
		this.#source?.destroy()
		this.#leave(complete)
	}

	#watch(child: ChildProcess): void {
		child.once('error', (error) => {
			if (child.pid === undefined) this.#failed(causeOf(error))
		})
		child.once('exit', (code) => {
			this.#exit = code === 0 ? 'success' : 'failure'
			this.#decide()
		})
		if (child.pid === undefined) return
		const pipes: readonly (Readable | Writable | null | undefined)[] = child.stdio
		const [sink, source] = this.#spec.kind === 'exec' ? [child.stdin, child.stdout]
			: [pipes[HANDLER_IN], pipes[HANDLER_OUT]]
		assert(sink instanceof Writable && source instanceof Readable, 'its pipes were asked for')
		this.#source = source
		source.on('data', (chunk: Uint8Array) => this.#take(source, chunk))
		source.once('end', () => this.#ended())
		source.on('error', () => this.#ended())
		sink.on('error', () => this.#pump.deaf())
		this.#pump.open(source, sink)
	}

	#take(source: Readable, chunk: Uint8Array): void {
		if (this.#pump.paused) {
			// Node resumes what a program left behind as soon as it exits, whatever we asked for.
			source.pause()
			source.unshift(chunk)
			return
		}
		if (!this.#pump.take(chunk, chunk.length, false)) source.pause()
		const { stream } = this.#context
		if (stream instanceof MessageQueue && stream.broken) {
			this.#failed('its output is no sequence of messages')
			this.#leave(false)
		}
		if (stream instanceof MessageQueue && this.#pump.paused) this.#retry()
	}

	/** Messages leave without an answer that would tell of it: we look again. */
	#retry(): void {
		setTimeout(() => {
			if (this.#over || !this.#pump.paused) return
			const now = this.#context.clock()
			this.#pump.advance(now)
			this.#context.touch(now)
			this.#retry()
		}, 1)
	}

	#ended(): void {
		this.#closed = true
		this.#decide()
	}

	/** The end of its output is a success when it exits with 0, or lives on without any output. */
	#decide(): void {
		clearTimeout(this.#timer)
		if (this.#over) return
		if (this.#exit !== undefined) this.#pump.deaf()
		if (this.#closed && this.#exit !== undefined) {
			this.#pump.finish(this.#exit)
		} else if (this.#closed) {
			this.#timer = setTimeout(() => this.#pump.finish('success'), PROGRAM_EXIT / MILLISECOND)
		} else if (this.#exit === 'failure') {
			this.#awaitTail(this.#pump.takenBytes)
		}
	}

	/** It failed, but what it started holds its output: while that brings bytes they are welcome. */
	#awaitTail(takenBytes: number): void {
		this.#timer = setTimeout(() => {
			if (this.#pump.takenBytes > takenBytes || this.#pump.paused) {
				this.#awaitTail(this.#pump.takenBytes)
			} else {
				this.#pump.finish('failure')
			}
		}, PROGRAM_TAIL / MILLISECOND)
	}

	#failed(cause: string): void {
		const { log, clock, peer } = this.#context
		// For a server of many names it is one of them; for NaCl's tools it is all there is.
		const level = this.#spec.inherited === undefined ? 'warn' : 'error'
		log.limited(level, 'service-unavailable', clock(), {
			name: peer.serverName, service: serviceText(this.#spec), cause,
		})
		this.#pump.deaf()
		this.#pump.finish('failure')
	}

	#leave(complete: boolean): void {
		if (this.#child === undefined || this.#spec.inherited !== undefined) return
		this.#context.programs.leave(this.#child, complete)
	}
}

function stdioOf({ kind, inherited }: ProgramSpec): StdioOptions {
	if (kind === 'exec') return ['pipe', 'pipe', 'inherit']
	if (inherited === undefined) return [...HANDLER_STDIO]
	return ['inherit', 'inherit', 'inherit', ...passed(inherited, HANDLER_IN - 1), 'pipe', 'pipe']
}

function exitOf(child: ChildProcess | undefined): Promise<number> {
	if (child === undefined) return Promise.resolve(EXIT_TROUBLE)
	return new Promise((resolve) => {
		child.once('exit', (code) => resolve(code ?? EXIT_TROUBLE))
		child.once('error', () => {
			if (child.pid === undefined) resolve(EXIT_TROUBLE)
		})
	})
}
