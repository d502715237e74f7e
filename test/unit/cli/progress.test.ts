import { Writable } from 'node:stream'
import test from 'ava'
import { Progress } from '../../../src/cli/progress.ts'

class Out extends Writable {
	readonly isTTY: boolean
	readonly columns = 80
	text = ''

	constructor(isTTY: boolean) {
		super()
		this.isTTY = isTTY
	}

	override _write(chunk: Buffer, _encoding: string, done: () => void): void {
		this.text += chunk.toString()
		done()
	}
}

const MIB = 1 << 20

test('in a terminal: one line that is drawn again, with rate and time left', (t) => {
	const out = new Out(true)
	let now = 0
	const progress = new Progress({ out, clock: () => now, json: false })
	progress.begin('write', 100 * MIB)
	for (let i = 1; i <= 50; i++) {
		now += 100
		progress.at(i * MIB)
	}
	const drawn = out.text.split('\r').map((line) => line.replace('\u001b[K', ''))
	t.is(drawn.at(-1), 'write    ████████░░░░░░░░ 50 %  50.0 MiB of 100 MiB  10.0 MiB/s  5 s left')
	t.true(drawn.every((line) => line.length < 80))
	now += 1
	progress.at(51 * MIB)
	t.is(out.text.split('\r').length, drawn.length, 'not more often than ten times a second')
	progress.clear()
	t.true(out.text.endsWith('\r\u001b[K'))
	progress.at(100 * MIB)
	t.regex(out.text, / 100 % {2}100 MiB of 100 MiB {2}[\d.]+ MiB\/s\u001b\[K\n$/)
})

test('elsewhere: a line of JSON a second, the first and the last among them', (t) => {
	const out = new Out(false)
	let now = 0
	const progress = new Progress({ out, clock: () => now, json: false })
	progress.begin('send', 1000, 200)
	for (let bytes = 300; bytes <= 1000; bytes += 100) {
		now += 400
		progress.at(bytes)
	}
	t.deepEqual(out.text.trim().split('\n').map((line) => JSON.parse(line)), [
		{ event: 'progress', phase: 'send', bytes: 200, totalBytes: 1000, bytesPerSecond: 0 },
		{ event: 'progress', phase: 'send', bytes: 500, totalBytes: 1000, bytesPerSecond: 250,
			etaSeconds: 2 },
		{ event: 'progress', phase: 'send', bytes: 800, totalBytes: 1000, bytesPerSecond: 250,
			etaSeconds: 1 },
		{ event: 'progress', phase: 'send', bytes: 1000, totalBytes: 1000, bytesPerSecond: 250,
			etaSeconds: 0 },
	])
	t.false(out.text.includes('\r'))
})

test('--json makes lines in a terminal too; nothing to do is done at once', (t) => {
	const out = new Out(true)
	const progress = new Progress({ out, clock: () => 0, json: true })
	progress.begin('check', 0)
	t.deepEqual(JSON.parse(out.text), {
		event: 'progress', phase: 'check', bytes: 0, totalBytes: 0, bytesPerSecond: 0,
	})
})
