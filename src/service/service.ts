// One connection's service, seen from the server: it is told when something came and when all is
// over. Each form of product.md's section 4 is one of these.

import type { Clock } from '../platform/clock.ts'
import type { Nanos } from '../base/time.ts'
import type { Log } from './log.ts'
import type { Programs } from './programs.ts'
import type { ByteStream } from './stream.ts'

export interface Service {
	/** Bytes, room or the peer's end have come. */
	advance(now: Nanos): void
	/** The connection is gone; complete: both streams ended as they should. Nothing may be sent. */
	over(complete: boolean): void
}

/** Who is at the other end. Texts, for programs and people. */
export interface Peer {
	/** Long-term public key, 64 hexadecimal digits. */
	readonly key: string
	readonly ip: string
	readonly port: number
	readonly extension: string
	/** The name of ours that it asked for. */
	readonly serverName: string
}

export interface ServiceContext {
	readonly stream: ByteStream
	readonly peer: Peer
	readonly clock: Clock
	readonly log: Log
	readonly programs: Programs
	/** The stream was used outside of advance. */
	touch(now: Nanos): void
	/** What the welcome page tells about the server. */
	facts(): Facts
	/** The console, for its name's clients; absent: this process has none. */
	readonly console?: StartConsole | undefined
}

/** From above: this layer does not know what a console is. */
export type StartConsole = (context: ServiceContext) => Service | undefined

export interface Facts {
	readonly uptimeNanos: Nanos
	readonly connections: number
	readonly opened: number
}
