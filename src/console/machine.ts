// Lines for programs: one request, one answer, each with its checksum. They are answered in every
// state of a session, and need the same login. spec: firmware.md

import { answerTo, Refusal, type Command, type Commands } from '../service/control-commands.ts'
import type { Log } from '../service/log.ts'
import type { Gate } from './gate.ts'
import { frame, unframe } from './machine-line.ts'

export interface MachineOptions {
	readonly commands: Commands
	readonly gate: Gate | undefined
	readonly log: Log
	isIn(): boolean
	login(): void
	exit(): void
}

/** The framed answer, without a line's end. */
export async function answerMachine(line: string, options: MachineOptions): Promise<string> {
	const json = unframe(line)
	if (json === undefined) return frame(JSON.stringify({ id: null, error: 'checksum' }))
	// Never in the log: a login has a password in it.
	const { commands, log } = options
	return frame(await answerTo(json, withSession(commands, options), log))
}

export function tooLong(most: number): string {
	return frame(JSON.stringify({ id: null, error: `a line has at most ${most} characters` }))
}

/** Before the login there is only that; login and exit are the session's own. */
function withSession(commands: Commands, { gate, isIn, login, exit }: MachineOptions): Commands {
	const own = new Map<string, Command>([
		['login', async ({ password }) => {
			const verdict = gate === undefined ? 'right' : await gate.test(String(password))
			const wait = gate?.waitSeconds ?? 0
			if (verdict !== 'right') throw new Refusal(`${verdict}: next try in ${wait} s`)
			login()
			return {}
		}],
		['exit', () => {
			exit()
			return {}
		}],
	])
	if (isIn()) return new Map([...commands, ...own])
	return new Map([...[...commands.keys()].map((name) => [name, refuse] as const), ...own])
}

function refuse(): never {
	throw new Refusal('login first: {"id":1,"cmd":"login","password":"…"}')
}
