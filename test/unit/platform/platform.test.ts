// What is missing costs speed, never the start, and is said in one line. Each case is a process in
// which require('koffi') gives something else.

import test from 'ava'
import { execFileSync } from 'node:child_process'
import { setImmediate as aTurn } from 'node:timers/promises'
import { wasOurs } from '../../../src/platform/given-back.ts'
import { openPlatform } from '../../../src/platform/platform.ts'
import { needs } from '../../support/needs.ts'
import { freePort } from '../../support/processes.ts'

interface Opened {
	name: string
	box: string
	udp: string
	notes: string[]
}

/** replace: source of a function from koffi (or undefined) to what require gives instead. */
function opened(replace: string, choice = 'auto'): Opened {
	const stub = `
		import Module from 'node:module'
		const load = Module._load
		Module._load = function (name, ...rest) {
			if (name !== 'koffi') return load.call(this, name, ...rest)
			return (${replace})(() => load.call(this, name, ...rest))
		}`
	const script = `
		import('./build/out/src/platform/platform.js').then(async ({ openPlatform }) => {
			const platform = await openPlatform(${JSON.stringify(choice)})
			const udp = await platform.openUdp({
				address: 0x7f000001, port: 0, answerFromAsked: true,
				receiveBufferBytes: 10000, sendBufferBytes: 10000,
			})
			const { name, box, notes } = platform
			console.log(JSON.stringify({ name, box: box.name, udp: udp.name, notes }))
			udp.close()
		})`
	const stubUrl = `data:text/javascript,${encodeURIComponent(stub)}`
	const args = ['--import', stubUrl, '--eval', script]
	return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

/** koffi with another load for one library. */
const other = (library: string, func: string): string => `(koffi) => {
	const real = koffi()
	const load = (name) => {
		const library = real.load(name)
		return name.startsWith(${JSON.stringify(library)}) ? (${func})(library) : library
	}
	return { ...real, load }
}`

test('without koffi: everything portable, one line', (t) => {
	const missing = `() => { throw new Error("Cannot find module 'koffi'\\nRequire stack:\\n- x") }`
	const { name, box, udp, notes } = opened(missing)
	t.deepEqual([name, box, udp], ['portable', 'tweetnacl', 'portable'])
	t.is(notes.length, 1)
	t.regex(notes[0]!, /^unable to load koffi: .*npm install koffi\); going on with portable/)
})

test('portable when asked for, and nothing to say about it', (t) => {
	const { name, box, udp, notes } = opened('() => { throw new Error("never asked") }', 'portable')
	t.deepEqual([name, box, udp, notes.length], ['portable', 'tweetnacl', 'portable', 0])
})

const check = needs('linux')

check('without libsodium: portable crypto, fast UDP, how to get it', (t) => {
	const { box, udp, notes } = opened(other('libsodium', '() => { throw new Error("no file") }'))
	t.deepEqual([box, udp], ['tweetnacl', 'linux'])
	t.is(notes.length, 1)
	t.regex(notes[0]!, /libsodium: not installed \(apt install libsodium23\); going on with portable/)
})

check('a libsodium with wrong answers is not used', (t) => {
	const lies = `(library) => ({ func: (prototype) => {
		const f = library.func(prototype)
		return prototype.includes('secretbox_open') ? () => 0 : f
	} })`
	const { box, udp, notes } = opened(other('libsodium', lies))
	t.deepEqual([box, udp], ['tweetnacl', 'linux'])
	t.regex(notes.join('\n'), /^unable to use libsodium.*wrong answer.*$/)
})

check('a kernel without asynchronous poll: portable UDP, fast crypto', (t) => {
	const without = `(library) => ({ func: (prototype) =>
		(prototype.includes(' syscall(') ? () => -1 : library.func(prototype)) })`
	const { box, udp, notes } = opened(other('libc', without))
	t.regex(box, /^libsodium/)
	t.is(udp, 'portable')
	t.regex(notes.join('\n'), /^unable to use asynchronous poll.*going on with portable UDP$/)
})

check('a port that is taken is Trouble at once, not a second attempt', async (t) => {
	const platform = await openPlatform('auto')
	const options = {
		address: 0x7f000001, port: 0, answerFromAsked: true,
		receiveBufferBytes: 10_000, sendBufferBytes: 10_000,
	}
	const udp = await platform.openUdp(options)
	await t.throwsAsync(platform.openUdp({ ...options, port: udp.port }), { code: 'EADDRINUSE' })
	t.deepEqual(platform.notes, [])
	udp.close()
})

for (const choice of ['linux', 'portable'] as const) {
	check(`a port that is taken is Trouble at once, not a second attempt (${choice})`, async (t) => {
		const platform = await openPlatform(choice)
		const options = {
			address: 0x7f000001, port: 0, answerFromAsked: true,
			receiveBufferBytes: 10_000, sendBufferBytes: 10_000,
		}
		const udp = await platform.openUdp(options)
		t.teardown(() => udp.close())
		await t.throwsAsync(platform.openUdp({ ...options, port: udp.port }), { code: 'EADDRINUSE' })
		t.false(wasOurs(udp.port), 'what was never had is not waited for')
		t.deepEqual(platform.notes, [])
	})

	check(`a port that was given back is taken again at once (${choice})`, async (t) => {
		const platform = await openPlatform(choice)
		const options = {
			address: 0x7f000001, port: await freePort(), answerFromAsked: true,
			receiveBufferBytes: 10_000, sendBufferBytes: 10_000,
		}
		const nothing = (): void => undefined
		// The kernel lets go a moment later, now and then.
		for (let i = 0; i < 3000; i++) {
			const udp = await platform.openUdp(options)
			udp.listen({ readable: nothing, unreachable: nothing })
			if (i % 3 === 0) await aTurn()
			udp.close()
		}
		t.deepEqual(platform.notes, [])
	})
}
