// The service console: the same conversation over a CurveCP connection, for clients whose key is
// admitted. That key is the login. A program may just write lines and read the answers; `terminal`
// brings echo, prompt and pages.

import { NEVER, type Nanos } from '../base/time.ts'
import { CONSOLES_MAX } from '../limits.ts'
import { causeOf } from '../platform/trouble.ts'
import type { Service, ServiceContext, StartConsole } from '../service/service.ts'
import type { Host } from './host.ts'
import type { Session } from './session.ts'

/** At once: as many keys may wait for a command to end. */
const READ_BYTES = 4096

export function consoleOver(host: Host): StartConsole {
	const open = new Set<Service>()
	return (context) => {
		const service = new ConsoleService(context, host, open.size < CONSOLES_MAX, () => {
			open.delete(service)
		})
		open.add(service)
		return service
	}
}

class ConsoleService implements Service {
	readonly #context: ServiceContext
	readonly #over: () => void
	readonly #encoder = new TextEncoder()
	#session: Session | undefined
	/** Not in the stream yet. */
	#pending: Uint8Array[] = []
	#waiting = 0
	#state: 'open' | 'ending' | 'failing' | 'done' = 'open'
	#told = false

	constructor(context: ServiceContext, host: Host, admitted: boolean, over: () => void) {
		this.#context = context
		this.#over = over
		if (admitted) void this.#start(host)
		else this.#state = 'failing'
	}

	advance(now: Nanos): void {
		const { stream } = this.#context
		this.#flush(now)
		const session = this.#session
		if (this.#state !== 'open' || session === undefined) return
		while (stream.readable > 0 && this.#state === 'open' && !session.isFull) {
			const n = Math.min(stream.peekLength, READ_BYTES)
			session.receive(stream.peekBytes.slice(stream.peekAt, stream.peekAt + n))
			stream.consume(n, now)
		}
		if (stream.readable > 0 || stream.incomingEnd === 'open' || this.#told) return
		this.#told = true
		if (stream.incomingEnd === 'success') session.inputEnded()
		else this.#finish('failing')
	}

	over(): void {
		this.#state = 'done'
		this.#session?.close()
		this.#over()
	}

	async #start(host: Host): Promise<void> {
		const { peer, log } = this.#context
		try {
			const { Session } = await import('./session.ts')
			if (this.#state !== 'open') return
			const service = this
			this.#session = new Session({
				outlet: {
					get waiting() {
						return service.#waiting
					},
					write: (text) => this.#write(text),
				},
				...host, gate: undefined, where: peer.key, idle: NEVER, terminal: false,
				ended: () => this.#finish('ending'), free: () => this.#resume(),
			})
		} catch (error) {
			log.say('warn', 'no-console', { cause: causeOf(error) })
			this.#finish('failing')
		}
		this.#resume()
	}

	#resume(): void {
		const now = this.#context.clock()
		this.advance(now)
		this.#context.touch(now)
	}

	#write(text: string): void {
		if (this.#state !== 'open') return
		const bytes = this.#encoder.encode(text)
		this.#pending.push(bytes)
		this.#waiting += bytes.length
		this.#touch()
	}

	#finish(as: 'ending' | 'failing'): void {
		if (this.#state !== 'open') return
		this.#state = as
		this.#touch()
	}

	#touch(): void {
		const now = this.#context.clock()
		this.#flush(now)
		this.#context.touch(now)
	}

	#flush(now: Nanos): void {
		const { stream } = this.#context
		if (this.#state === 'done') return
		const before = this.#waiting
		while (this.#pending.length > 0) {
			const bytes = this.#pending[0]!
			const n = stream.write(bytes, 0, bytes.length, now)
			this.#waiting -= n
			if (n < bytes.length) {
				this.#pending[0] = bytes.subarray(n)
				break
			}
			this.#pending.shift()
		}
		if (this.#waiting > 0) return
		if (this.#state === 'ending') stream.end(now)
		else if (this.#state === 'failing') stream.fail(now)
		else if (before > 0) this.#session?.drained()
		if (this.#state === 'open') return
		this.#state = 'done'
		stream.discardIncoming(now)
	}
}
