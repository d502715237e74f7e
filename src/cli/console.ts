// curvegate console: the host's end of a board's console, over a serial line or over CurveCP. A
// terminal passes through as it is; --ask sends one request of the machine mode.

import { MachineClient } from '../console/machine-client.ts'
import { listPorts } from '../platform/serial-ports.ts'
import { EXIT_DONE, Usage } from '../platform/trouble.ts'
import { hashPassword, passwordFault } from '../service/password.ts'
import type { Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { openWire, portsText, type Wire } from './console-wire.ts'
import { passThrough } from './pass-through.ts'
import { passwordOf } from './secret.ts'

export const run: Run = async (args) => {
	if (args.has('hash-password')) return await printHash(args)
	if (args.has('list')) {
		const ports = listPorts()
		if (args.has('json')) printJson({ ports })
		else printLine(portsText(ports))
		return EXIT_DONE
	}
	const request = args.text('ask')
	if (request !== undefined) return await ask(args, request)
	return await passThrough(async (received, closed) =>
		await openWire(args, args.positionals[0], received, closed))
}

async function printHash(args: Arguments): Promise<number> {
	const { readSecret } = await import('./secret.ts')
	const password = await readSecret('password: ')
	const fault = passwordFault(password)
	if (fault !== undefined) throw new Usage(fault)
	const hash = await hashPassword(password)
	if (args.has('json')) printJson({ password: hash })
	else printLine(`password = "${hash}"`)
	return EXIT_DONE
}

async function ask(args: Arguments, text: string): Promise<number> {
	const { cmd, fields } = readRequest(text)
	const password = passwordOf(args)
	const wire: { open?: Wire } = {}
	const client = new MachineClient('the console', (bytes) => wire.open?.write(bytes))
	wire.open = await openWire(args, args.positionals[0], (bytes) => client.received(bytes),
		(why) => client.closed(why ?? 'it has logged off'))
	try {
		if (password !== undefined) await client.ask('login', { password })
		printJson({ result: await client.ask(cmd, fields) })
		return EXIT_DONE
	} finally {
		wire.open.close()
	}
}

/** A command's name, or the request as JSON. */
function readRequest(text: string): { cmd: string, fields: Record<string, unknown> } {
	if (/^[a-z][a-z-]*$/.test(text)) return { cmd: text, fields: {} }
	try {
		const { cmd, ...fields }: Record<string, unknown> = JSON.parse(text)
		if (typeof cmd === 'string') return { cmd, fields }
	} catch {
		// Said below.
	}
	throw new Usage(`--ask '${text}': expected a command, as status, or a request, as `
		+ '\'{"cmd":"config","action":"diff"}\'')
}
