// The two ends of a connection for benches that run them in one process, stage by stage.

import { PiecePool } from '../../src/base/pieces.ts'
import { NEVER, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Box } from '../../src/crypto/box.ts'
import { Identity } from '../../src/endpoint/identity.ts'
import { OwnExtension } from '../../src/endpoint/own-extension.ts'
import { ServerEndpoint } from '../../src/endpoint/server.ts'
import type { ClientIdentity } from '../../src/handshake/client.ts'
import { ServerHandshake } from '../../src/handshake/server.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'
import type { Platform } from '../../src/platform/platform.ts'
import { writeServerName } from '../../src/wire/server-name.ts'

export const LIVENESS = { keepalive: 20 * SECOND, deadPeer: 90 * SECOND, idle: NEVER }

/** Message layers on common pools. */
export function layers(platform: Platform, ringBytes: number): (now: Nanos) => Messenger {
	const options = {
		pieces: new PiecePool(16_384, 2048), records: new PiecePool(RECORD_PIECE_BYTES, 2048),
		random: platform.random, control: () => new Cubic(),
		sendBytes: ringBytes, receiveBytes: ringBytes,
	}
	return (now) => new Messenger(options, now)
}

/** A server with one name, and who its clients are. */
export function makeServer(
	platform: Platform, box: Box, connections: number, makeLayer: (now: Nanos) => Messenger,
): { server: ServerEndpoint, identity: ClientIdentity } {
	const { random } = platform
	const [serverLongTermPublic, secret] = keypair(platform, box)
	const [longTermPublic, longTermSecret] = keypair(platform, box)
	const serverName = new Uint8Array(256)
	writeServerName(serverName, 0, new TextEncoder().encode('bench'))
	const handshake = new ServerHandshake(box, random, secret, platform.clock())
	const own = new Identity(
		serverLongTermPublic, handshake, new OwnExtension(new Uint8Array(16)))
	own.serve([[serverName, {
		text: 'bench', clients: undefined, liveness: LIVENESS, makeLayer,
	}]])
	const server = new ServerEndpoint(connections, random)
	server.add(own)
	return { server, identity: { longTermPublic, longTermSecret, serverLongTermPublic, serverName } }
}

function keypair(platform: Platform, box: Box): [Uint8Array, Uint8Array] {
	const keys: [Uint8Array, Uint8Array] = [new Uint8Array(32), new Uint8Array(32)]
	box.keypair(...keys, platform.random)
	return keys
}
