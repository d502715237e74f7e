import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { MachineClient } from '../../../src/console/machine-client.ts'
import type { Command } from '../../../src/service/control-commands.ts'
import { FakeTerminal, FakeTimers } from '../../support/console.ts'
import { makeGenerator } from '../../support/generator.ts'

/** A client and a session, with a line between that damages what harm says. */
function joined(
	commands: ReadonlyMap<string, Command>, harm: (bytes: Uint8Array) => Uint8Array,
): { client: MachineClient, terminal: FakeTerminal, timers: FakeTimers, run: Run } {
	const timers = new FakeTimers()
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	let at = 0
	const client = new MachineClient('test', (bytes) => void terminal.type(harm(bytes)), timers)
	const run: Run = async (work) => {
		let over = false
		const done = work.finally(() => {
			over = true
		})
		done.catch(() => undefined)
		while (!over) {
			await terminal.settled()
			const text = terminal.output.slice(at)
			at = terminal.output.length
			if (text !== '') client.received(harm(new TextEncoder().encode(text)))
			else timers.pass(SECOND / 10)
		}
		return await done
	}
	return { client, terminal, timers, run }
}

type Run = <T>(work: Promise<T>) => Promise<T>

const COMMANDS = new Map<string, Command>([
	['double', ({ n }) => ({ n: Number(n) * 2 })],
	['text', () => ({ text: 'ü{"a":1} *00000000\r\n' })],
])

test('asks and is answered, whatever else the line brings', async (t) => {
	const { client, run } = joined(COMMANDS, (bytes) => bytes)
	t.deepEqual(await run(client.ask('double', { n: 21 })), { n: 42 })
	t.deepEqual(await run(client.ask('text')), { text: 'ü{"a":1} *00000000\r\n' })
	client.received(new TextEncoder().encode('[ 1.5] usb 1-1: new device\r\ncurvegate> '))
	t.deepEqual(await run(client.ask('double', { n: 1 })), { n: 2 })
	await t.throwsAsync(run(client.ask('nothing')), { message: /unknown cmd/ })
	await t.throwsAsync(run(client.ask('double', { text: 'x'.repeat(20_000) })),
		{ message: /more than 16384 characters/ })
})

test('a line that damages one byte in 300: every answer is right all the same', async (t) => {
	const seed = 4242
	const random = makeGenerator(seed)
	const { client, run } = joined(COMMANDS, (bytes) => bytes.map((byte) =>
		random.below(300) === 0 ? byte ^ (1 << random.below(8)) : byte))
	for (let n = 0; n < 100; n++) {
		t.deepEqual(await run(client.ask('double', { n }, { tries: 50 })), { n: 2 * n }, `seed ${seed}`)
	}
})

test('nobody at the other end, and a line that is no more', async (t) => {
	const { client, run } = joined(COMMANDS, () => new Uint8Array(0))
	await t.throwsAsync(run(client.ask('double')), { message: 'unable to ask test: no answer' })
	const asked = client.ask('double')
	client.closed('it has hung up')
	await t.throwsAsync(asked, { message: /it has hung up/ })
	await t.throwsAsync(client.ask('double'), { message: /it has hung up/ })
})
