// A server that cannot keep up with what comes: Hellos wait, but not for ever.

import test from 'ava'
import { makeSlot } from '../../../src/base/slots.ts'
import { HELLO_TURN } from '../../../src/limits.ts'
import { makeGenerator } from '../../support/generator.ts'
import { Puppet, slotOf } from '../../support/puppet.ts'
import { ServerNode } from '../../sim/peers.ts'

test('while more waits one Hello is answered for so many packets, at rest more are', (t) => {
	const random = makeGenerator(7)
	const { endpoint, publicKey } = new ServerNode({ random })
	const puppet = new Puppet({ random, serverKey: publicKey })
	const out = makeSlot(new Uint8Array(1280))
	const answers = (): number => {
		let n = 0
		while (endpoint.transmit(out, 0)) n++
		return n
	}
	const hello = slotOf(puppet.hello(), puppet.from)
	endpoint.received(true, 0)
	for (let i = 1; i <= 4 * HELLO_TURN; i++) {
		// One to be answered in eight packets; the others are nobody's.
		hello.bytes[0] = i % 8 === 0 ? 0x51 : 0
		endpoint.receive(hello, 0)
		t.is(answers(), i % HELLO_TURN === 0 ? 1 : 0, `after ${i}`)
	}
	endpoint.received(false, 0)
	t.true(answers() > 4)
})
