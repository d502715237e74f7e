// Every bound of the program, one sentence each, with its default. Board profiles and flags
// override what an owner may want to change; the rest is fixed here.

import { SECOND, type Nanos } from './base/time.ts'

/** Connections that one server process holds at once, TIME-WAIT included. */
export const CONNECTIONS_MAX = 1024
/** Servers, each with its own keys and extension, on one port. */
export const SERVERS_MAX = 64
/** Packets of connections after which one waiting Hello is answered although there are more. */
export const HELLO_TURN = 256
/** Hellos that wait for their Cookie; each waits with its 224 bytes. */
export const HELLO_QUEUE_MAX = 256
/** Packets that one connection sends before the next has its turn. */
export const SEND_TURN = 16
/** Names of one server. */
export const NAMES_MAX = 65_536

/** A client gives up when no server answered for so long. */
export const CONNECT_TIMEOUT: Nanos = 60 * SECOND
/** Silence from the peer after which we ask whether it is there. */
export const KEEPALIVE: Nanos = 20 * SECOND
/** A client whose stream has stopped asks so soon whether the server still reaches it. */
export const ALERT: Nanos = SECOND
/** Silence from the peer after which the connection is given up and its slot freed. */
export const DEAD_PEER: Nanos = 90 * SECOND
/** A peer of NaCl's that had nothing left to do answers nothing for so long: it has left. */
export const PEER_LEFT: Nanos = 10 * SECOND
/** The same where NaCl's handlers are at both ends: one whose program pauses does not answer. */
export const HANDLED_DEAD_PEER: Nanos = 900 * SECOND
/** A handler whose program is gone gives up when nothing of its streams moves for so long. */
export const HANDLER_IDLE: Nanos = 10 * SECOND
/** How long both ends must have been done before a connection is forgotten: lost last answers. */
export const TIME_WAIT: Nanos = 4 * SECOND
/** How long a stopping process lets open streams finish. */
export const DRAIN: Nanos = 10 * SECOND

/** A minute key makes cookies for so long, and opens them for as long again. */
export const MINUTE: Nanos = 60 * SECOND
/** Age at which a client stops trusting its cookie and starts anew: the server promises 60 s. */
export const COOKIE_AGE: Nanos = 50 * SECOND
/** A client with other hosts to ask waits so long for the answer to its Initiates. */
export const INITIATE_PATIENCE: Nanos = 10 * SECOND
/**
 * Finished connections remembered for each minute key, so that a recorded Initiate opens nothing;
 * the servers of one process share them, and each has FINISHED_MIN at least.
 */
export const FINISHED_MAX = 16_384
export const FINISHED_MIN = 1024

/**
 * Packet nonces remembered behind the highest: reordered packets are not lost, replays never pass.
 */
export const NONCE_WINDOW = 2048

/** Connections that one client process holds at once. */
export const CLIENT_CONNECTIONS_MAX = 256
/** Hosts that one address may name; more are an error, not a surprise. */
export const HOSTS_MAX = 8
/** Delay before the next host of an address is tried as well (RFC 8305, section 8). */
export const RACE_DELAY: Nanos = 0.25 * SECOND

/** Both extensions, old and new, are accepted for so long after this machine's own has changed. */
export const EXTENSION_OVERLAP: Nanos = 60 * SECOND
/** An address that does not confirm itself within this time is forgotten. */
export const CANDIDATE_LIFE: Nanos = 5 * SECOND
/** Bytes sent to an unconfirmed address for each byte received from there. */
export const CANDIDATE_AMPLIFICATION = 3

/** Bytes that one read of a service's socket takes at most. */
export const SERVICE_READ_BYTES = 65_536
/** How long a service may take to accept our connection. */
export const SERVICE_CONNECT: Nanos = 20 * SECOND
/** A program whose connection is done may go on for so long before it is asked to end. */
export const PROGRAM_LINGER: Nanos = 60 * SECOND
/** A program that was asked to end is killed when it is still there after this. */
export const PROGRAM_GRACE: Nanos = 5 * SECOND
/** A program that closed its output may take so long to exit before its end counts as success. */
export const PROGRAM_EXIT: Nanos = 0.1 * SECOND
/** What others hold of a failed program's output is waited for while it brings bytes this often. */
export const PROGRAM_TAIL: Nanos = SECOND
/** The head of a request to the welcome page. */
export const WELCOME_HEAD_BYTES = 8192
/** Routes that one gateway holds. */
export const ROUTES_MAX = 1 << 20
/** Flows of a gateway with several public ports whose port is changed on the way in. */
export const CHANGED_PORTS_MAX = 65_536
/** Idle time after which such a flow is forgotten: longer than both ends' keepalive. */
export const CHANGED_PORT_LIFE: Nanos = 300 * SECOND
/** Clients of the unprivileged relay: a socket each. */
export const RELAY_FLOWS_MAX = 4096
/** Idle time after which the relay closes a client's socket. */
export const RELAY_LIFE: Nanos = 180 * SECOND
/** Token buckets for sources, and as many for targets; a power of two. */
export const BUCKETS = 65_536
/** What one client address may send through a gateway, per second and at once. */
export const SOURCE_RATE = { perSecond: 200_000, burst: 50_000 }
/** What one local server may be sent. */
export const TARGET_RATE = { perSecond: 1_000_000, burst: 200_000 }
/** ICMP errors that a gateway passes on, both ways together. */
export const ICMP_RATE = { perSecond: 1000, burst: 200 }
/** Verified sealed extensions that the kernel holds, and how long after their last use. */
export const LEARNED_MAX = 262_144
export const LEARNED_LIFE: Nanos = 600 * SECOND
/** Without a key for so long a console logs off, unless its configuration says otherwise. */
export const CONSOLE_IDLE: Nanos = 600 * SECOND
/** Consoles over CurveCP at once. */
export const CONSOLES_MAX = 8
