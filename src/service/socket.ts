// The services tcp and unix: each connection is joined to a new one of the local socket.

import net from 'node:net'
import { MILLISECOND } from '../base/time.ts'
import { SERVICE_CONNECT, SERVICE_READ_BYTES } from '../limits.ts'
import { causeOf } from '../platform/trouble.ts'
import type { Service, ServiceContext } from './service.ts'
import { serviceText, type ServiceSpec } from './spec.ts'
import { Pump } from './stream.ts'

type SocketSpec = Extract<ServiceSpec, { kind: 'tcp' | 'unix' }>

/** What a socket reads is copied out before the next one reads: one buffer is enough for all. */
const readBuffer = new Uint8Array(SERVICE_READ_BYTES)

export class SocketService implements Service {
	readonly #context: ServiceContext
	readonly #spec: SocketSpec
	readonly #socket: net.Socket
	readonly #pump: Pump
	readonly #timer: NodeJS.Timeout
	#connectedOnce = false

	constructor(spec: SocketSpec, context: ServiceContext) {
		this.#context = context
		this.#spec = spec
		this.#pump = new Pump({
			stream: context.stream,
			clock: context.clock,
			touch: (now) => context.touch(now),
			peerFailed: () => this.#reset(),
		})
		const pump = this.#pump
		const place = spec.kind === 'tcp' ? { host: spec.host, port: spec.port } : { path: spec.path }
		this.#socket = net.connect({
			...place,
			allowHalfOpen: true,
			noDelay: true,
			onread: { buffer: readBuffer, callback: (n, p) => pump.take(p, n, true) },
		})
		this.#timer = setTimeout(() => {
			this.#socket.destroy(new Error('it does not accept the connection'))
		}, SERVICE_CONNECT / MILLISECOND)
		this.#socket.on('connect', () => this.#connected())
		this.#socket.on('end', () => pump.finish('success'))
		this.#socket.on('error', (error) => this.#failed(error))
		this.#socket.on('close', () => {
			clearTimeout(this.#timer)
			pump.finish('failure')
			pump.deaf()
		})
	}

	advance(): void {
		this.#pump.advance(this.#context.clock())
	}

	over(complete: boolean): void {
		clearTimeout(this.#timer)
		if (!complete) this.#reset()
		this.#pump.close()
		this.#socket.destroy()
	}

	#connected(): void {
		clearTimeout(this.#timer)
		this.#connectedOnce = true
		this.#pump.open(this.#socket, this.#socket)
		const now = this.#context.clock()
		this.#pump.advance(now)
		this.#context.touch(now)
	}

	/** The program is to see that this was no orderly end. What follows is the socket's close. */
	#reset(): void {
		if (this.#spec.kind === 'tcp' && this.#connectedOnce) this.#socket.resetAndDestroy()
		else this.#socket.destroy()
	}

	#failed(error: Error): void {
		if (this.#connectedOnce) return
		this.#context.log.limited('warn', 'service-unavailable', this.#context.clock(), {
			name: this.#context.peer.serverName, service: serviceText(this.#spec), cause: causeOf(error),
		})
	}
}
