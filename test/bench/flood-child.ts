// A flood of Hellos whose sources are spoofed, all over 127.0.0.0/8: ADDRESS COUNT PER_SECOND
// garbage|valid. Valid ones come from a few keys of which each Hello is sealed anew: what an
// attacker can do cheapest.

import { setImmediate as turn } from 'node:timers/promises'
import { randomBelow } from '../../src/base/random.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { SECOND } from '../../src/base/time.ts'
import { ClientHandshake } from '../../src/handshake/client.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { parseAddress } from '../../src/service/address.ts'
import { resolve } from '../../src/service/resolve.ts'
import { HELLO_BOX, HELLO_BYTES } from '../../src/wire/packets.ts'

const BATCH = 64
const KEYS = 64
const LOOPBACK = 0x7f000000
const EXTENSION = new Uint8Array(16)

const [address = '', count = '0', perSecond = '1', kind = 'garbage'] = process.argv.slice(2)
const platform = await openPlatform('linux')
const { box, random, clock } = platform
const { key, hosts } = await resolve(parseAddress(address))
const udp = await platform.openUdp({
	address: 0, port: 0, answerFromAsked: true, receiveBufferBytes: 0, sendBufferBytes: 4e6,
})
const secret = new Uint8Array(32)
const clients = Array.from({ length: KEYS }, () => {
	const client = new ClientHandshake(box, random, {
		longTermPublic: key, longTermSecret: secret, serverLongTermPublic: key,
		serverName: new Uint8Array(256),
	})
	if (!client.prepare()) throw new Error('the server has no key')
	return client
})
const block = platform.memory.allocate(BATCH * HELLO_BYTES)
const slots: Slot[] = Array.from({ length: BATCH }, (_, i) =>
	makeSlot(block.subarray(i * HELLO_BYTES, (i + 1) * HELLO_BYTES)))
const host = hosts[0]!

function fill(slot: Slot, i: number): void {
	slot.length = clients[i % KEYS]!.writeHello(slot.bytes, host.extension, EXTENSION)
	if (kind === 'garbage') random.fill(slot.bytes, HELLO_BOX, HELLO_BYTES - HELLO_BOX)
	slot.address = host.address
	slot.port = host.port
	slot.local = LOOPBACK + 1 + randomBelow(random, 0xfffffe)
}

let sent = 0
const start = clock()
while (sent < Number(count)) {
	const due = ((clock() - start) / SECOND) * Number(perSecond)
	for (; sent < due; sent += BATCH) {
		slots.forEach((slot, i) => fill(slot, sent + i))
		for (let done = 0; done < BATCH;) done += udp.sendBatch(slots, done, BATCH - done)
	}
	await turn()
}
process.exit()
