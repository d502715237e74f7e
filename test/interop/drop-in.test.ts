// NaCl's five commands and ours under the same names, in each other's places: data both ways, exit
// codes, arguments, environment, descriptors. spec: protocol.md 6

import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { long, needs } from '../support/needs.ts'
import { freePort, makeFolder, start, untilBound, type Started } from '../support/processes.ts'
import { EXTENSION } from '../support/reference.ts'
import { streamByte } from '../unit/message/pair.ts'

type Maker = 'nacl' | 'ours'
const MAKERS: readonly Maker[] = ['nacl', 'ours']
const BUILD = resolve('build')
const NAME = 'drop-in.example'
const BYTES = 200_000
const reference = needs('curvecpserver')

function tool(maker: Maker, name: string): string {
	return maker === 'ours' ? `${BUILD}/${name}` : name
}

/** The same word must mean the same: no key directory of one test is another's. */
function makeKeys(t: ExecutionContext, maker: Maker): { dir: string, key: string } {
	const dir = join(makeFolder(t), 'keys')
	t.is(spawnSync(tool(maker, 'curvecpmakekey'), [dir]).status, 0)
	const keys = MAKERS.map((one) =>
		spawnSync(tool(one, 'curvecpprintkey'), [dir], { encoding: 'utf8' }).stdout)
	t.regex(keys[0]!, /^[0-9a-f]{64}\n$/)
	t.is(keys[1], keys[0])
	return { dir, key: keys[0]!.trim() }
}

interface Places {
	readonly server: Maker
	readonly serverMessage: Maker
	readonly client: Maker
	readonly clientMessage: Maker
}

interface Meeting {
	readonly serve: readonly string[]
	readonly visit: readonly string[]
	readonly first?: '-c' | '-C'
	readonly env?: Record<string, string>
}

async function meet(
	t: ExecutionContext, places: Places, { serve, visit, first = '-C', env = {} }: Meeting,
): Promise<Started> {
	const { dir, key } = makeKeys(t, places.server)
	const client = makeKeys(t, places.client)
	const port = await freePort()
	const place = ['127.0.0.1', String(port), EXTENSION]
	const server = start(t, tool(places.server, 'curvecpserver'), [
		'-Qc5', NAME, dir, ...place, tool(places.serverMessage, 'curvecpmessage'), '-s', ...serve,
	], { env })
	await untilBound(server, port)
	const visitor = start(t, tool(places.client, 'curvecpclient'), [
		'-Q', '-c', client.dir, NAME, key, ...place,
		tool(places.clientMessage, 'curvecpmessage'), first, ...visit,
	], { env })
	return visitor
}

for (const server of MAKERS) for (const serverMessage of MAKERS) {
	for (const client of MAKERS) for (const clientMessage of MAKERS) {
		const places = { server, serverMessage, client, clientMessage }
		reference(Object.entries(places).map((pair) => pair.join(' ')).join(', '), async (t) => {
			const folder = makeFolder(t)
			const file = (name: string): string => join(folder, name)
			for (const seed of [0, 5]) {
				writeFileSync(file(`in${seed}`), Uint8Array.from({ length: BYTES },
					(_, i) => streamByte(i, seed)))
			}
			const visitor = await meet(t, places, {
				serve: ['sh', '-c', `cat > ${file('out0')}; cat ${file('in5')}`],
				visit: ['sh', '-c',
					`cat ${file('in0')} >&7; exec 7>&-; cat <&6 > ${file('out5')}; exit 7`],
			})
			t.is((await visitor.ended).code, 7, visitor.stderr())
			for (const seed of [0, 5]) {
				t.true(readFileSync(file(`in${seed}`)).equals(readFileSync(file(`out${seed}`))))
			}
		})
	}
}

const OURS: Places = {
	server: 'ours', serverMessage: 'ours', client: 'ours', clientMessage: 'ours',
}

for (const clientMessage of MAKERS) {
	reference(`a server that speaks first, to curvecpmessage -c of ${clientMessage}`, async (t) => {
		const visitor = await meet(t, { ...OURS, clientMessage }, {
			serve: ['sh', '-c', 'echo hello'],
			visit: ['sh', '-c', 'exec 7>&-; cat <&6'], first: '-c',
		})
		t.deepEqual(await visitor.ended, { code: 0, signal: null }, visitor.stderr())
		t.is(visitor.stdout().toString(), 'hello\n')
	})
}

const EXITS: readonly (readonly [script: string, code: number])[] = [
	['exec 7>&-; cat <&6', 0],
	['exec 7>&-; cat <&6; exit 42', 42],
	['exec 7>&-; cat <&6; kill -9 $$', 111],
]

for (const maker of MAKERS) {
	for (const [script, code] of EXITS) {
		reference(`${maker}: sh -c '${script}' makes exit ${code}`, async (t) => {
			const places = { ...OURS, client: maker, clientMessage: maker }
			const visitor = await meet(t, places, { serve: ['true'], visit: ['sh', '-c', script] })
			t.is((await visitor.ended).code, code, visitor.stderr())
		})
	}

	reference(`${maker}: a handler that cannot be run is 111`, async (t) => {
		const { dir, key } = makeKeys(t, maker)
		const port = await freePort()
		const place = ['127.0.0.1', String(port), EXTENSION]
		const server = start(t, tool(maker, 'curvecpserver'), ['-Q', NAME, dir, ...place, 'true'])
		await untilBound(server, port)
		const args = [NAME, key, ...place, '/nonexistent/handler']
		const visitor = start(t, tool(maker, 'curvecpclient'), ['-Q', ...args])
		t.is((await visitor.ended).code, 111)
		t.regex(visitor.stderr(), /handler/)
		const quiet = start(t, tool(maker, 'curvecpclient'), ['-q', ...args])
		t.is((await quiet.ended).code, 111)
		t.true(server.running)
	})

	reference(`${maker}: environment, folder and open descriptors are passed on`, async (t) => {
		const folder = makeFolder(t)
		const third = openSync(join(folder, 'third'), 'w')
		const { dir, key } = makeKeys(t, maker)
		const port = await freePort()
		const place = ['127.0.0.1', String(port), EXTENSION]
		const options = { cwd: folder, env: { COLOUR: 'green' } }
		const message = tool(maker, 'curvecpmessage')
		const server = start(t, tool(maker, 'curvecpserver'), [
			NAME, dir, ...place, message, 'sh', '-c', 'env | sort; pwd',
		], options)
		await untilBound(server, port)
		const visitor = start(t, tool(maker, 'curvecpclient'), [
			NAME, key, ...place, message, '-C', 'sh', '-c',
			'exec 7>&-; cat <&6; echo three >&3; echo two >&2; cat; env | sort',
		], { ...options, stdio: ['pipe', 'pipe', 'pipe', third] })
		visitor.feed('input\n')
		t.is((await visitor.ended).code, 0, visitor.stderr())
		t.is(readFileSync(join(folder, 'third'), 'utf8'), 'three\n')
		t.is(visitor.stderr(), 'two\n')
		const [theirs, ours] = visitor.stdout().toString().split('input\n')
		const shells = /^(_|OLDPWD|PWD|SHLVL)=.*\n/gm
		t.is(theirs!.replaceAll(shells, ''), `${ours!.replaceAll(shells, '')}${folder}\n`)
		t.regex(theirs!, /^COLOUR=green$/m)
	})
}

// What is refused before anything is sent: the same code, and the same last line for usage errors.

const K = '00'.repeat(32)
const E = '00'.repeat(16)
const SERVER = [NAME, 'KEYS', '127.0.0.1', '4999', E, 'true']
const CLIENT = [NAME, K, '127.0.0.1', '4999', E, 'true']

function without(words: readonly string[], place: number, instead: string): string[] {
	return words.map((word, i) => (i === place ? instead : word))
}

const REFUSED: readonly (readonly [name: string, ...words: string[]])[] = [
	['curvecpmakekey'], ['curvecpmakekey', ''], ['curvecpmakekey', 'KEYS'],
	['curvecpmakekey', 'no/such/folder'],
	['curvecpprintkey'], ['curvecpprintkey', ''], ['curvecpprintkey', 'absent'],
	['curvecpprintkey', 'SHORT'],
	...[0, 1, 2, 3, 4, 5].map((n) => ['curvecpserver', ...SERVER.slice(0, n)] as const),
	...[0, 1, 2, 3, 4, 5].map((n) => ['curvecpclient', ...CLIENT.slice(0, n)] as const),
	...['4x', '', '123456', '-1', ' 1'].flatMap((port) => [
		['curvecpserver', ...without(SERVER, 3, port)] as const,
		['curvecpclient', ...without(CLIENT, 3, port)] as const,
	]),
	...['', '1.2.3', '1.2.3.4.5', '1.2.3.0004', 'localhost', '::1', '1.2.3.4,'].flatMap((ip) => [
		['curvecpserver', ...without(SERVER, 2, ip)] as const,
		['curvecpclient', ...without(CLIENT, 2, ip)] as const,
	]),
	['curvecpserver', ...without(SERVER, 2, '127.0.0.1,127.0.0.2')],
	...['', 'zz'.repeat(16), E.slice(1), `${E}0`].flatMap((extension) => [
		['curvecpserver', ...without(SERVER, 4, extension)] as const,
		['curvecpclient', ...without(CLIENT, 4, extension)] as const,
	]),
	...['', 'zz'.repeat(32), K.slice(1), `${K}00`].map((key) =>
		['curvecpclient', ...without(CLIENT, 1, key)] as const),
	...['a'.repeat(64), `${'a.'.repeat(127)}aa`].flatMap((name) => [
		['curvecpserver', ...without(SERVER, 0, name)] as const,
		['curvecpclient', ...without(CLIENT, 0, name)] as const,
	]),
	...['0', '65536', 'x', '5x', '', '123456'].map((count) =>
		['curvecpserver', '-c', count, ...SERVER] as const),
	['curvecpserver', '-c5x', ...SERVER], ['curvecpserver', '-c'], ['curvecpserver', '-Qc'],
	['curvecpserver', '-z', ...SERVER], ['curvecpserver', '--help'], ['curvecpserver', '-qz'],
	['curvecpserver', '-s', ...SERVER], ['curvecpclient', '-s', ...CLIENT],
	['curvecpserver', '-Q', ...without(SERVER, 1, 'absent')],
	['curvecpserver', ...without(SERVER, 1, 'absent')],
	['curvecpserver', '-q', ...without(SERVER, 1, 'absent')],
	['curvecpserver', '-Q', ...without(SERVER, 1, '')],
	['curvecpserver', '-Q', ...without(SERVER, 2, '192.0.2.1')],
	['curvecpserver', '-Q', ...without(SERVER, 2, '300.0.2.1')],
	['curvecpclient', '-c'], ['curvecpclient', '-c', 'absent', ...CLIENT],
	['curvecpclient', '-cabsent', ...CLIENT], ['curvecpclient', '-qc', 'absent', ...CLIENT],
	['curvecpclient', '-c', '', ...CLIENT], ['curvecpclient', '-z'],
	['curvecpmessage'], ['curvecpmessage', '-c'], ['curvecpmessage', '-s', '--'],
	['curvecpmessage', '-z', 'cat'], ['curvecpmessage', '-qz'], ['curvecpmessage', '-'],
	['curvecpmessage', 'true'], ['curvecpmessage', '-Q', 'true'],
]

reference('what the originals refuse is refused, with their exit codes and words', (t) => {
	const folder = makeFolder(t)
	t.is(spawnSync('curvecpmakekey', [join(folder, 'keys')]).status, 0)
	const short = join(folder, 'short')
	t.is(spawnSync('sh', ['-c', `mkdir ${short}; printf abc > ${short}/publickey`]).status, 0)
	for (const [name, ...words] of REFUSED) {
		const args = words.map((word) => (word === 'KEYS' ? join(folder, 'keys')
			: word === 'SHORT' ? short : word))
		const [theirs, ours] = MAKERS.map((maker) => spawnSync(tool(maker, name), args, {
			encoding: 'utf8', cwd: folder, timeout: 60_000,
		}))
		const what = `${name} ${words.join(' ')}: ${theirs!.stderr}${ours!.stderr}`
		t.true(theirs!.status === 100 || theirs!.status === 111, what)
		t.is(ours!.status, theirs!.status, what)
		t.is(ours!.stdout, '', what)
		if (theirs!.status === 100) t.is(ours!.stderr, theirs!.stderr, what)
		if (args.includes('-q')) t.is(ours!.stderr, '', what)
	}
})

reference('what the originals take is taken', async (t) => {
	const { dir } = makeKeys(t, 'ours')
	const taken: readonly (readonly string[])[] = [
		['-vQ', '-c5', '--', NAME], ['-', NAME], ['-c', '65535', '-q', 'Some.Name'], ['-Q', ''],
	]
	for (const words of taken) {
		const port = await freePort()
		// 383 is 127, in 8 bits; the port's lower 16 bits count.
		const high = port + 65_536 < 100_000 ? port + 65_536 : port
		const server = start(t, tool('ours', 'curvecpserver'),
			[...words, dir, '383.0.0.001', String(high), EXTENSION, 'no-such-program'])
		await untilBound(server, port)
		t.true(server.running)
		await server.stop()
	}
})

// It takes its whole minute.
long()('nobody answers: 111, and what was tried', async (t) => {
	const silent = await freePort()
	const nobody = '09'.padEnd(64, '0')
	const visitor = start(t, tool('ours', 'curvecpclient'),
		[NAME, nobody, '127.0.0.1', String(silent), EXTENSION, 'true'])
	t.is((await visitor.ended).code, 111)
	t.regex(visitor.stderr(), /^curvecpclient: fatal: unable to reach 127\.0\.0\.1/)
})
