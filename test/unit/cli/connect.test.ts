// How connect ends when one side has had enough: the server's service, whoever reads us, a signal.

import { resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startOurServer, type OurServer } from '../../support/our-server.ts'
import { start, until, type Started } from '../../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')

function addressOf({ publicKey, port, name, extension }: OurServer): string {
	return `curvecp://${publicKey}@127.0.0.1:${port}/${name}?extension=${extension}`
}

function connect(t: ExecutionContext, server: OurServer): Started {
	return start(t, process.execPath, [MAIN, 'connect', addressOf(server)])
}

test('a service that fails ends the client, although there may be more to type', async (t) => {
	const server = await startOurServer(t, 'exec:sh -c "echo word; exit 1"')
	const client = connect(t, server)
	t.deepEqual(await client.ended, { code: 111, signal: null })
	t.is(String(client.stdout()), 'word\n')
	t.regex(client.stderr(), /: the server ended its stream as a failure\n$/)
	const isSaid = (): boolean => server.lines.some((line) => / closed .* why=failed /.test(line))
	await until(isSaid, 'the server to say so')
})

test('a signal gives the connection up, and the server hears of it', async (t) => {
	const server = await startOurServer(t, 'exec:cat')
	const client = connect(t, server)
	client.child.stdin!.write('word\n')
	await client.untilPrinted(/word/)
	client.signal('SIGINT')
	t.deepEqual(await client.ended, { code: 111, signal: null })
	t.regex(client.stderr(), /: the connection was given up here\n$/)
	await untilNothingRuns(t, server)
})

test('whoever stops reading ends the service, and nobody complains', async (t) => {
	const server = await startOurServer(t, 'exec:yes')
	const script = `"$0" "$1" connect "$2" | head -n 1; echo "\${PIPESTATUS[0]}"`
	const shell = start(t, 'bash', ['-c', script, process.execPath, MAIN, addressOf(server)])
	t.deepEqual(await shell.ended, { code: 0, signal: null })
	t.is(String(shell.stdout()), 'y\n111\n')
	t.notRegex(shell.stderr(), /curvegate/)
	await untilNothingRuns(t, server)
})

test('ping says who answered how soon, and by what we reach it', async (t) => {
	const server = await startOurServer(t, 'echo')
	const ask = async (...more: string[]): Promise<Started> => {
		const ping = start(t, process.execPath,
			[MAIN, 'ping', addressOf(server), '--count', '1', ...more],
			{ env: { CURVEGATE_PLATFORM: 'portable' } })
		t.deepEqual(await ping.ended, { code: 0, signal: null }, ping.stderr())
		return ping
	}
	t.regex(String((await ask()).stdout()), new RegExp(`^127\\.0\\.0\\.1:${server.port} answered; `
		+ 'handshake [\\d.]+ ms\nround trip 1: [\\d.]+ ms\n1 round trips: .*\n'
		+ 'datapath: portable UDP, tweetnacl; the server is a curvegate\n$'))
	const facts = JSON.parse(String((await ask('--json')).stdout()))
	t.deepEqual(facts.datapath, { udp: 'portable', box: 'tweetnacl' })
	t.is(facts.answered, `127.0.0.1:${server.port}`)
	t.true(facts.handshakeMs > 0 && facts.rttMs.length === 1 && facts.curvegate)
	t.true(facts.address.startsWith(`curvecp://${server.publicKey}@127.0.0.1:`))
})

async function untilNothingRuns(t: ExecutionContext, { server }: OurServer): Promise<void> {
	await until(() => server.programs.running === 0, 'the end of the service')
	t.pass()
}
