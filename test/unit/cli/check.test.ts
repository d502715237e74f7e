import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { runCurvegate } from '../../support/curvegate.ts'

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'check-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	return path
}

const EXTENSION = '000102030405060708090a0b0c0d0e0f'
const GOOD = `schema = 1
keys = "keys"
[[server]]
listen = "127.0.0.1:4000"
extension = "${EXTENSION}"
[[server.name]]
name = "a.example"
service = "echo"
clients = []
[extension]
source = "hex:${EXTENSION}"
`

test('a good file: what it comes to, exit 0', (t) => {
	const dir = folder(t)
	const file = join(dir, 'c.toml')
	writeFileSync(file, GOOD)
	const key = runCurvegate(['keygen', join(dir, 'keys')]).stdout.trim()
	const { code, stdout, stderr } = runCurvegate(['check', '--config', file])
	t.deepEqual([code, stderr], [0, ''])
	t.true(stdout.startsWith(`${file}: no errors\nboard host: `))
	t.true(stdout.includes(`public key ${key}\n`))
	t.regex(stdout, /a\.example +echo, for 0 clients\n/)
	t.regex(stdout, /notes:\n {2}a\.example: clients is an empty list, so nobody is served/)
	const json = JSON.parse(runCurvegate(['check', '--config', file, '--json']).stdout)
	t.is(json.servers[0].publicKey, key)
	t.deepEqual(json.trouble, [])
	t.deepEqual(json.servers[0].names[0], { name: 'a.example', service: 'echo', clients: [] })
})

test('what this machine lacks is trouble, not a fault of the file: exit 111', (t) => {
	const file = join(folder(t), 'c.toml')
	writeFileSync(file, `user = "nobody-of-that-name"\n${GOOD}[gateway]\nwan = "wan9"\n`
		+ 'address = "192.0.2.1"\nroutes = "routes"\n[gateway.encoded]\nallow = ["10.0.0.0/8"]\n'
		+ 'ports = [4000]\nseal-keys = "seal"\n[console]\ndevice = "/dev/ttyNone"\n')
	const { code, stdout } = runCurvegate(['check', '--config', file])
	t.is(code, 111)
	for (const says of [
		/unable to read .*keys: no such key directory; cure: curvegate keygen /,
		/unable to become nobody-of-that-name: no such user/,
		/unable to use wan wan9: no such interface; there /,
		/unable to read .*routes: no such file/,
		/unable to read .*seal: no such folder; cure: curvegate seal new /,
		/unable to open \/dev\/ttyNone: no such device/,
	]) t.regex(stdout, says)
})

test('servers on the gateway\'s own port are written out as routes', (t) => {
	const file = join(folder(t), 'c.toml')
	// Behind it is who listens where it delivers, which loopback is not.
	const good = GOOD.replace('127.0.0.1', '0.0.0.0')
	writeFileSync(file, `${good}[gateway]\nwan = "lo"\naddress = "192.0.2.1"\n[[gateway.route]]\n`
		+ `extension = "${'ff'.repeat(16)}"\ntarget = "10.77.0.2"\n`)
	const { stdout } = runCurvegate(['check', '--config', file])
	t.true(stdout.includes(`  ${EXTENSION} :4000  # a server of this file\n`
		+ `  ${'ff'.repeat(16)} 10.77.0.2\n`))
	const json = JSON.parse(runCurvegate(['check', '--config', file, '--json']).stdout)
	t.deepEqual(json.gateway.ownRoutes, [`${EXTENSION} :4000`])
})

test('the routes file is read with it, every line', (t) => {
	const dir = folder(t)
	const file = join(dir, 'c.toml')
	writeFileSync(file, `${GOOD}[gateway]\nwan = "lo"\naddress = "192.0.2.1"\nroutes = "routes"\n`)
	writeFileSync(join(dir, 'routes'), `# ours\n${'aa'.repeat(16)} 10.0.0.2\n${'bb'.repeat(16)} \n`
		+ `${'aa'.repeat(16)} 10.0.0.3\nxyz 10.0.0.4\n${'cc'.repeat(16)} 127.0.0.1\n`)
	const { code, stdout } = runCurvegate(['check', '--config', file, '--json'])
	t.is(code, 100)
	const { errors } = JSON.parse(stdout)
	t.deepEqual(errors.map(({ line }: { line: number }) => line), [3, 4, 5, 6])
	t.regex(errors[1].message, /is routed in line 2 already/)
	t.regex(errors[3].message, /nothing is ever forwarded to 127\.0\.0\.1: loopback/)
	writeFileSync(join(dir, 'routes'), `${'aa'.repeat(16)} 10.0.0.2 # fine\n`)
	t.is(runCurvegate(['check', '--config', file]).code, 111, 'only the keys are missing')
})

test('faults: exit 100, one message each, and as JSON', (t) => {
	const file = join(folder(t), 'c.toml')
	writeFileSync(file, GOOD.replace('listen', 'lisen').replace('"echo"', '"eco"'))
	const { code, stdout, stderr } = runCurvegate(['check', '--config', file])
	t.deepEqual([code, stdout], [100, ''])
	const head = `curvegate check: 2 errors in ${file}\n${file}:4:1: unknown key 'lisen'`
	t.true(stderr.startsWith(head))
	const json = runCurvegate(['check', '--config', file, '--json'])
	t.is(json.code, 100)
	const { error, errors } = JSON.parse(json.stdout)
	t.deepEqual(error, errors[0])
	t.is(errors.length, 2)
	t.deepEqual([error.file, error.line, error.column], [file, 4, 1])
	t.is(error.message, "unknown key 'lisen' in [[server]]; did you mean 'listen'?")
})

test('no file: exit 111; no option: exit 100', (t) => {
	const missing = runCurvegate(['check', '--config', join(folder(t), 'none')])
	t.is(missing.code, 111)
	t.regex(missing.stderr, /unable to read the configuration .*none: no such file/)
	t.is(runCurvegate(['check']).code, 100)
})

test('boards: a list and each profile, for people and as JSON', (t) => {
	const { code, stdout } = runCurvegate(['boards', '--boards', 'boards'])
	t.is(code, 0)
	t.regex(stdout, /^NAME +STATUS +RAM +IMAGE +BOARD\n/)
	t.regex(stdout, /^rpi-4 +experimental +1G +image +Raspberry Pi 4$/m)
	const { boards } = JSON.parse(runCurvegate(['boards', '--json']).stdout)
	for (const { name } of boards) {
		const shown = JSON.parse(runCurvegate(['boards', 'show', name, '--json']).stdout)
		t.is(shown.name, name)
		t.true(shown.memory.budgetBytes > 0)
		t.true(shown.values.length > 15)
	}
	const unknown = runCurvegate(['boards', 'show', 'rpi4'])
	t.is(unknown.code, 100)
	t.is(unknown.stderr, "curvegate boards show: unknown board 'rpi4'; did you mean 'rpi-4'?\n")
})
