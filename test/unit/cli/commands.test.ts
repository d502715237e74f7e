import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { encode } from 'uqr'
import test, { type ExecutionContext } from 'ava'
import { VERSION } from '../../../src/base/version.ts'
import { drawBlocks } from '../../../src/service/qr.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { formatAddress, parseAddress } from '../../../src/service/address.ts'
import { runCurvegate } from '../../support/curvegate.ts'
import { needs } from '../../support/needs.ts'

const EXTENSION = '000102030405060708090a0b0c0d0e0f'

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'commands-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	return path
}

test('keygen and pubkey print one key; keygen never overwrites', (t) => {
	const dir = join(folder(t), 'keys')
	const made = runCurvegate(['keygen', dir])
	t.deepEqual([made.code, made.stderr], [0, ''])
	t.regex(made.stdout, /^[0-9a-f]{64}\n$/)
	t.deepEqual(runCurvegate(['pubkey', dir]), made)
	const json: unknown = JSON.parse(runCurvegate(['pubkey', '--json', dir]).stdout)
	t.deepEqual(json, { directory: dir, publicKey: made.stdout.trim() })
	t.deepEqual(runCurvegate(['keygen', dir]), {
		code: 111, stdout: '', stderr: `curvegate keygen: fatal: unable to create ${dir}: `
			+ 'it exists already, and keys are never overwritten\n',
	})
	t.is(runCurvegate(['pubkey', dir]).stdout, made.stdout)
})

test('errors: exit code, one line, and the same as JSON when asked', (t) => {
	const dir = join(folder(t), 'none')
	const trouble = runCurvegate(['pubkey', dir, '--json'])
	t.is(trouble.code, 111)
	const cause = `unable to read ${dir}: no such key directory; cure: curvegate keygen ${dir}`
	t.deepEqual(JSON.parse(trouble.stdout), { error: { message: cause } })
	t.is(trouble.stderr, `curvegate pubkey: fatal: ${cause}\n`)
	const usage = runCurvegate(['address', 'show', 'curvecp://h:x', '--json'])
	t.is(usage.code, 100)
	const message = "address, column 13: expected a UDP port from 1 to 65535, found 'x'"
	t.deepEqual(JSON.parse(usage.stdout), { error: { column: 13, message } })
	t.is(usage.stderr, `curvegate address show: ${message}\n`)
})

test('unknown commands: what was meant', (t) => {
	const table: readonly (readonly [string[], string])[] = [
		[['keygn', 'x'], "curvegate: unknown command 'keygn'; did you mean keygen?\n"],
		[['address', 'shwo'], "curvegate address: unknown command 'shwo'; did you mean show?\n"],
		[['address'], 'curvegate address: a second word is missing: make, show, qr\n'],
	]
	for (const [words, stderr] of table) {
		t.deepEqual(runCurvegate(words), { code: 100, stdout: '', stderr })
	}
})

test('help and version go to stdout', (t) => {
	t.deepEqual(runCurvegate(['--version']),
		{ code: 0, stdout: `curvegate ${VERSION}\n`, stderr: '' })
	const all = runCurvegate(['--help'])
	for (const { name } of COMMANDS) t.true(all.stdout.includes(`  ${name} `), name)
	t.deepEqual([all.code, all.stderr], [0, ''])
	t.deepEqual(runCurvegate([]), all)
	t.deepEqual(runCurvegate(['help']), all)
	const one = runCurvegate(['address', 'make', '--help'])
	t.true(one.stdout.startsWith('usage: curvegate address make [OPTION]…\n'))
	t.deepEqual(runCurvegate(['help', 'address', 'make']), one)
	t.true(runCurvegate(['address', '--help']).stdout.includes('address qr'))
})

test('address make: from a key directory to an address that is read back', (t) => {
	const dir = join(folder(t), 'keys')
	const key = runCurvegate(['keygen', dir]).stdout.trim()
	const plain = runCurvegate(['address', 'make', '--keys', dir, '--host', 'home.example'])
	t.regex(plain.stdout, new RegExp(`^curvecp://${key}@home\\.example:4000/home\\.example\\?check=`))
	const all = ['address', 'make', '--keys', dir, '--host', '192.0.2.1', '--host', 'b.example',
		'--port', '53', '--name', 'ssh home', '--extension', EXTENSION]
	const text = runCurvegate(all).stdout.trim()
	t.regex(text, new RegExp(`^curvecp://${key}@192\\.0\\.2\\.1,b\\.example:53/ssh%20home`
		+ `\\?extension=${EXTENSION}&check=[0-9a-f]{8}$`))
	t.is(formatAddress(parseAddress(text)), text)
	t.deepEqual(JSON.parse(runCurvegate([...all, '--json']).stdout), {
		address: text, key, hosts: ['192.0.2.1', 'b.example'], port: 53, name: 'ssh%20home',
		extension: EXTENSION,
	})
})

test('address make: what it refuses', (t) => {
	const dir = join(folder(t), 'keys')
	runCurvegate(['keygen', dir])
	const table: readonly (readonly [string[], string])[] = [
		[[], '--keys DIR is missing: the server\'s key directory'],
		[['--keys', dir],
			'--host HOST is missing: IPv4 address or DNS name; several are backup servers'],
		[['--keys', dir, '--host', 'a b'],
			"--host 'a b': expected an IPv4 address or a DNS name (column 2)"],
		[['--keys', dir, '--host', 'a', '--extension', '12'],
			"--extension '12': expected 32 hexadecimal digits (column 3)"],
		[['--keys', dir, '--host', 'a', '--extension', `${'0'.repeat(20)}x`],
			`--extension '${'0'.repeat(20)}x': expected 32 hexadecimal digits (column 21)`],
		[['--keys', dir, '--host', 'a,b c'],
			"--host 'a,b c': expected an IPv4 address or a DNS name (column 4)"],
		[['--keys', dir, ...Array<string[]>(9).fill(['--host', 'a']).flat()],
			'--host: at most 8 in one address'],
	]
	for (const [words, message] of table) {
		t.deepEqual(runCurvegate(['address', 'make', ...words]),
			{ code: 100, stdout: '', stderr: `curvegate address make: ${message}\n` })
	}
})

const KEY = 'e84f07f7e3d2a40c6151558b6acfbcf86dc38a5a7117a65a22a3c54eca5e462a'
const LABEL = 'uz78zmgjvhwl69tjj5bpu2pq7mrshv6d5bckv5dbf943fkx45vc6lb'

function show(address: string): string[] {
	return runCurvegate(['address', 'show', address]).stdout.split('\n').map((line) => line.trim())
}

test('address show: parts, DNS records, and lines whose quoting a shell and ssh undo', (t) => {
	const address = `curvecp://${KEY}@192.0.2.1:53/ssh.example?extension=${EXTENSION}`
	const lines = show(address)
	t.is(lines[0], formatAddress(parseAddress(address)))
	t.true(lines.includes(`key        ${KEY}`))
	t.true(lines.some((line) => line.includes('(was absent: a wrong character may go unnoticed)')))
	t.true(show(lines[0]!).some((line) => line.endsWith('(fits)')))
	const target = `${LABEL}.${EXTENSION}.ssh.example`
	t.true(lines.includes(`ssh.example. 300 IN CNAME ${target}.`))
	t.true(lines.includes(`${target}. 300 IN A 192.0.2.1`))
	const told = parseAddress(`curvecp://${target}`)
	const { key, extension } = parseAddress(address)
	t.deepEqual([told.key, told.extension], [key, extension])
	t.true(lines.includes('Host ssh.example'))
})

test('address show: DNS records only where they can stand', (t) => {
	const cname = (text: string): boolean => show(text).some((line) => line.includes(' IN CNAME '))
	t.true(cname(`curvecp://${KEY}@box.example/ssh.example`))
	t.false(cname(`curvecp://${KEY}@ssh.example/ssh.example`), 'it would lead to itself')
	t.false(cname(`curvecp://${KEY}@a.example,b.example/ssh.example`), 'one CNAME at most')
	t.false(cname(`curvecp://${KEY}@192.0.2.1/localhost`), 'no domain')
	t.false(cname('curvecp://192.0.2.1/ssh.example'), 'no key')
	t.false(cname(`curvecp://${'f'.repeat(64)}@192.0.2.1/ssh.example`), 'no label for this key')
})

needs('ssh', 'sh')('what address show says to paste means the same address', (t) => {
	const address = parseAddress(`curvecp://${KEY}@192.0.2.1/a%20b?extension=${EXTENSION}`)
	const text = formatAddress(address)
	const lines = show(text)
	const proxy = lines.find((line) => line.startsWith('ProxyCommand '))!
	const seen = execFileSync('ssh', ['-G', '-T', '-F', 'none', '-o', proxy.replace(' ', '='), 'h'],
		{ encoding: 'utf8' })
	const command = /^proxycommand (.*)$/m.exec(seen)![1]!.replaceAll('%%', '%')
	const words = (line: string): string[] =>
		execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' }).trim().split('\n')
	t.deepEqual(words(command), ['curvegate', 'connect', text])
	const listen = lines.find((line) => line.includes('--listen'))!
	t.is(words(listen.replace(/&$/, '')).at(-1), text)
})

test('address qr draws the modules of the checked address', (t) => {
	const said = runCurvegate(['address', 'qr', `curvecp://${KEY}@h`, '--invert'])
	const lines = said.stdout.trimEnd().split('\n')
	const address = lines.pop()!
	t.is(address, formatAddress(parseAddress(`curvecp://${KEY}@h`)))
	const { data, size } = encode(address, { ecc: 'M', border: 4 })
	const upper = (character: string | undefined): boolean => '█▀'.includes(character ?? ' ')
	const lower = (character: string | undefined): boolean => '█▄'.includes(character ?? ' ')
	const seen = Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) =>
		(y % 2 === 0 ? upper : lower)(lines[y >> 1]?.[x])))
	t.deepEqual(seen, data)
	t.is(drawBlocks([[true, false], [true, true], [false, true]]), '█▄\n ▀')
})

needs('./build/curvegate')('the bundle does what the sources do, from any folder', (t) => {
	const dir = folder(t)
	const run = (...args: string[]): string =>
		execFileSync(join(process.cwd(), 'build/curvegate'), args, { cwd: dir, encoding: 'utf8' })
	t.is(run('--version'), `curvegate ${VERSION}\n`)
	t.is(run('keygen', 'keys'), run('pubkey', 'keys'))
	t.true(run('address', 'qr', `curvecp://${KEY}@h`).includes('▄'))
})
