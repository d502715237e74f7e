import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import {
	messageBytes, messageBytesWithin, readGap, readHint, readLength, writeBlockHead, writeHint,
	writeRange,
} from '../../../src/message/format.ts'
import { makeMessenger } from './pair.ts'

test('the lengths of messages: 48 and the class of D', (t) => {
	const lengths = [0, 1, 128, 129, 256, 257, 512, 513, 1024].map(messageBytes)
	t.deepEqual(lengths, [176, 176, 176, 304, 304, 560, 560, 1072, 1072])
	t.is(messageBytesWithin(512, 640), 560)
	t.is(messageBytesWithin(592, 640), 640)
	t.is(messageBytesWithin(593, 640), 0)
})

test('ranges and gaps lie where the page says', (t) => {
	const p = new Uint8Array(48)
	for (let k = 2; k <= 6; k++) writeRange(p, 0, k, 16 * k + 1, 16 * k + 2)
	t.is(toHex(p, 16, 22), '21000000' + '2200' + '3100320041004200510052006100' + '6200')
	for (let k = 2; k <= 6; k++) {
		t.is(readGap(p, 0, k), 16 * k + 1)
		t.is(readLength(p, 0, k), 16 * k + 2)
	}
})

test('the window stands in the gap of an empty sixth range, in KiB and one', (t) => {
	const p = new Uint8Array(48).fill(255)
	for (const [window, units, read] of [
		[0, 1, 0], [1023, 1, 0], [1024, 2, 1024], [1 << 20, 1025, 1 << 20],
		[2 ** 40, 65535, 65534 * 1024],
	] as const) {
		writeHint(p, 0, window)
		t.is(p[34]! + 256 * p[35]!, units)
		t.is(p[36]! + 256 * p[37]!, 0)
		t.is(readHint(p, 0), read)
	}
	p.fill(0)
	t.is(readHint(p, 0), -1, 'the reference leaves it zero')
	writeRange(p, 0, 6, 5, 5)
	t.is(readHint(p, 0), -1, 'a true sixth range is no hint')
})

test('every byte of a message is written, whatever was there before', (t) => {
	const texts = [0x00, 0xa5].map((filling) => {
		const messenger = makeMessenger()
		const found: string[] = []
		const slot = new Uint8Array(1200)
		const take = (): void => {
			slot.fill(filling)
			const n = messenger.transmit(slot, 20, 1088, 0)
			found.push(toHex(slot, 20, n))
			if (slot[20 + n] !== filling || slot[19] !== filling) found.push('wrote outside')
		}
		const ask = new Uint8Array(192)
		writeBlockHead(ask, 0, 192, 9, 0, 0)
		messenger.receive(ask, 0, 192, 0)
		take()
		for (const n of [1, 200, 500, 1024]) {
			messenger.write(new Uint8Array(n).fill(7), 0, n, 0)
			take()
		}
		messenger.end(0)
		take()
		messenger.ping(0)
		take()
		return found
	})
	t.deepEqual(texts[0], texts[1])
	t.deepEqual(texts[0]!.map((text) => text.length / 2), [64, 176, 304, 560, 1072, 176, 176])
	// ID 0, acknowledging 9, nothing yet, window of 1 MiB.
	const rangesAndWindow = `${'00'.repeat(8 + 18)}01040000`
	t.is(texts[0]![0], `0000000009000000${rangesAndWindow}${'00'.repeat(2 + 8 + 16)}`)
	// ID 1, no acknowledging ID, one byte at position 0, the byte at the end.
	t.is(texts[0]![1], `0100000000000000${rangesAndWindow}0100${'00'.repeat(8 + 127)}07`)
})
