// A flood of Hellos whose sources are spoofed, all over 127.0.0.0/8: ADDRESS COUNT PER_SECOND
// garbage|valid. They were made and sealed before, and come in a burst every millisecond: what an
// attacker can do cheapest, and what takes least of the processor that the others share with it.
// Says when it is ready, and begins at the first byte of input.

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { SECOND } from '../../src/base/time.ts'
import { ClientHandshake } from '../../src/handshake/client.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { parseAddress } from '../../src/service/address.ts'
import { resolve } from '../../src/service/resolve.ts'
import { HELLO_BOX, HELLO_BYTES } from '../../src/wire/packets.ts'

const BATCH = 64
/** Different Hellos, sent again and again. */
const MADE = 1024
const LOOPBACK = 0x7f000000
const EXTENSION = new Uint8Array(16)

const [address = '', count = '0', perSecond = '1', kind = 'garbage'] = process.argv.slice(2)
const platform = await openPlatform('linux')
const { box, random, clock } = platform
const { key, hosts } = await resolve(parseAddress(address))
const udp = await platform.openUdp({
	address: 0, port: 0, answerFromAsked: true, receiveBufferBytes: 0, sendBufferBytes: 4e6,
})
const client = new ClientHandshake(box, random, {
	longTermPublic: key, longTermSecret: new Uint8Array(32), serverLongTermPublic: key,
	serverName: new Uint8Array(256),
})
if (!client.prepare()) throw new Error('the server has no key')
const host = hosts[0]!
const block = platform.memory.allocate(MADE * HELLO_BYTES)
const slots = Array.from({ length: MADE }, (_, i) => makeHello(i))

function makeHello(i: number): Slot {
	const slot = makeSlot(block.subarray(i * HELLO_BYTES, (i + 1) * HELLO_BYTES))
	slot.length = client.writeHello(slot.bytes, host.extension, EXTENSION)
	if (kind === 'garbage') random.fill(slot.bytes, HELLO_BOX, HELLO_BYTES - HELLO_BOX)
	slot.address = host.address
	slot.port = host.port
	return slot
}

function send(from: number): void {
	for (let i = from; i < from + BATCH; i++) {
		slots[i]!.local = LOOPBACK + 1 + Math.floor(Math.random() * 0xfffffe)
	}
	for (let done = 0; done < BATCH;) done += udp.sendBatch(slots, from + done, BATCH - done)
}

console.log('ready')
await once(process.stdin, 'data')
const start = clock()
for (let sent = 0; sent < Number(count); await pause(1)) {
	const due = ((clock() - start) / SECOND) * Number(perSecond)
	for (; sent < due; sent += BATCH) send(sent % MADE)
}
process.exit()
