// Our message layer alone against NaCl's curvecpmessage, in both roles. spec: protocol.md 4, 9

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readU16, readU32, type Bytes } from '../../src/base/bytes.ts'
import { FAILURE, MESSAGE_FLAGS, MESSAGE_ID, SUCCESS } from '../../src/message/format.ts'
import { Stream, streamByte } from '../unit/message/pair.ts'
import { HAVE_REFERENCE, MessageChild, type Filters } from './message-child.ts'

const reference = HAVE_REFERENCE ? test.serial : test.skip
const ECHO_SERVER = ['cat']
const ECHO_CLIENT = ['sh', '-c', 'exec 8<&- 9>&-; cat <&6 >&7; exec 7>&-']

type Role = '-s' | '-c' | '-C'

async function echo(
	t: ExecutionContext, role: Role, bytes: number, filters: Filters = {},
): Promise<void> {
	const program = role === '-s' ? ECHO_SERVER : ECHO_CLIENT
	const child = new MessageChild(role, program, filters)
	t.teardown(() => child.close())
	const { messenger } = child
	const there = new Stream(bytes)
	const back = new Stream(bytes)
	child.onChange = () => {
		there.write(messenger, child.now)
		if (there.written === bytes) messenger.end(child.now)
		back.readFrom(messenger, child.now)
		back.written = back.read
	}
	const over = () => messenger.outgoingDone && messenger.incomingDone && messenger.readable === 0
	const done = await child.until(over)
	const seconds = child.now / 1e9
	t.log(`${bytes} bytes each way in ${seconds.toFixed(2)} s, ${messenger.retransmissions} again, `
		+ `rtt ${(messenger.rtt / 1e6).toFixed(2)} ms`)
	t.true(done, `${messenger.sentBytes} acknowledged, ${back.read} came back`)
	t.is(back.read, bytes)
	t.is(back.wrong, -1)
	t.is(messenger.incomingEnd, 'success')
	t.is(await child.exitCode, 0)
}

/**
 * The program sends one file while it writes what comes to another. It cannot be cat alone: a
 * curvecpmessage whose program does not read takes no acknowledgments either, so that an echo of
 * more than its buffers stops for ever.
 */
async function bothWays(t: ExecutionContext, role: Role, bytes: number): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'message-layer-'))
	const theirs = join(folder, 'theirs')
	const ours = join(folder, 'ours')
	const program = role === '-s'
		? ['sh', '-c', `exec 8<&- 9>&-; (cat ${theirs}; exec 1>&-) & exec 1>&-; cat > ${ours}; wait`]
		: ['sh', '-c', `exec 8<&- 9>&-; cat ${theirs} >&7 & exec 7>&-; cat <&6 > ${ours}; wait`]
	writeFileSync(theirs, Uint8Array.from({ length: bytes }, (_, i) => streamByte(i, 5)))
	const child = new MessageChild(role, program)
	t.teardown(() => {
		child.close()
		rmSync(folder, { recursive: true })
	})
	const { messenger } = child
	const there = new Stream(bytes)
	const back = new Stream(bytes, 5)
	let sentAt = 0
	child.onChange = () => {
		there.write(messenger, child.now)
		if (there.written === bytes) messenger.end(child.now)
		back.readFrom(messenger, child.now)
		if (messenger.outgoingDone && sentAt === 0) sentAt = child.now
	}
	if (role === '-s' && bytes === 0) messenger.ping(child.now)
	const over = () => messenger.outgoingDone && messenger.incomingDone && messenger.readable === 0
	const done = await child.until(over)
	const seconds = child.now / 1e9
	t.log(`${bytes} bytes each way: ours there in ${(sentAt / 1e9).toFixed(2)} s, theirs here in `
		+ `${seconds.toFixed(2)} s, ${messenger.retransmissions} again`)
	t.true(done, `${messenger.sentBytes} acknowledged, ${back.read} came back`)
	t.is(back.wrong, -1)
	t.is(await child.exitCode, 0)
	const written = readFileSync(ours)
	t.is(written.length, bytes)
	t.true(written.every((byte, i) => byte === streamByte(i)))
}

for (const role of ['-s', '-c', '-C'] as const) {
	for (const bytes of [0, 1, 100_000]) {
		const title = `curvecpmessage ${role} echoes a stream of ${bytes} bytes`
		reference(title, (t) => echo(t, role, bytes))
	}
	reference(`1 MB both ways at once, curvecpmessage ${role}`, (t) => bothWays(t, role, 1_000_000))
}

reference('10 MB both ways at once', (t) => bothWays(t, '-s', 10_000_000))

reference('a client that only reads gets a whole stream', async (t) => {
	const bytes = 3_000_000
	const child = new MessageChild('-c', ['sh', '-c', 'exec 7>&-; cat <&6 | wc -c'])
	t.teardown(() => child.close())
	const { messenger } = child
	const stream = new Stream(bytes)
	child.onChange = () => {
		// A server may speak only once the client has: the message layer does not know, its user does.
		if (child.received === 0) return
		stream.write(messenger, child.now)
		if (stream.written === bytes) messenger.end(child.now)
	}
	t.true(await child.until(() => messenger.outgoingDone && messenger.incomingDone))
	t.is(await child.exitCode, 0)
	t.is(child.output.trim(), String(bytes))
	t.log(`${(child.now / 1e9).toFixed(2)} s, ${messenger.retransmissions} again`)
})

reference('a server that only writes ends its stream while ours stays open', async (t) => {
	const child = new MessageChild('-s', ['sh', '-c', 'exec 0<&-; printf hello'])
	t.teardown(() => child.close())
	const { messenger } = child
	messenger.ping(child.now)
	t.true(await child.until(() => messenger.readable === 5))
	const text = new Uint8Array(5)
	t.is(messenger.read(text, 0, 5, child.now), 5)
	t.deepEqual([...text], [...'hello'].map((c) => c.charCodeAt(0)))
	t.true(await child.until(() => messenger.incomingEnd === 'success'))
	t.false(messenger.outgoingDone)
	messenger.end(child.now)
	t.true(await child.until(() => messenger.outgoingDone))
})

reference('a failure end is an end for the reference', async (t) => {
	const child = new MessageChild('-s', ['cat'])
	t.teardown(() => child.close())
	const { messenger } = child
	messenger.write(new Uint8Array(10), 0, 10, child.now)
	messenger.fail(child.now)
	t.true(await child.until(() => messenger.outgoingDone && messenger.readable === 10))
	t.is(messenger.readable, 10)
	t.is(await child.exitCode, 0)
})

/** Loses the first so many messages that fit. */
function loseFirst(count: number, fits: (p: Bytes) => boolean): (p: Bytes) => boolean {
	let left = count
	return (p) => left === 0 || !fits(p) || left-- === 0
}

function ends(p: Bytes): boolean {
	return p.length >= 48 && (readU16(p, MESSAGE_FLAGS) & (SUCCESS | FAILURE)) !== 0
}

/** Loses every so manyth message. */
function loseEvery(n: number): (p: Bytes) => boolean {
	let count = 0
	return () => ++count % n !== 0
}

reference('our lost end is sent again', (t) => {
	return echo(t, '-s', 5000, { toReference: loseFirst(2, ends) })
})

reference('a lost end of the reference, riding on data, comes again', (t) => {
	const endsWithData = (p: Bytes): boolean => ends(p) && readU16(p, MESSAGE_FLAGS) > SUCCESS
	return echo(t, '-s', 300, { toUs: loseFirst(1, endsWithData) })
})

reference('the first messages of both sides are lost', (t) => {
	return echo(t, '-C', 2000, {
		toUs: loseFirst(2, (p) => readU32(p, MESSAGE_ID) !== 0),
		toReference: loseFirst(3, () => true),
	})
})

reference('every twentieth message of ours is lost', (t) => {
	return echo(t, '-s', 200_000, { toReference: loseEvery(20) })
})

reference('every fiftieth message of the reference is lost', (t) => {
	return echo(t, '-s', 30_000, { toUs: loseEvery(50) })
})

reference('a ping is answered with its ID, and a message of nothing with nothing', async (t) => {
	const child = new MessageChild('-s', ['cat'])
	t.teardown(() => child.close())
	const { messenger } = child
	messenger.ping(child.now)
	t.true(await child.until(() => messenger.lastAckId !== 0))
	t.is(messenger.rttSamples, 1)
	t.true(messenger.rtt > 0)
})
