// The commands of an update that comes over a console; what they do is loaded when one does.

import type { Command, Request } from '../control-commands.ts'

const NAMES = ['update-begin', 'update-data', 'update-end', 'update-status'] as const

export function updateCommands(): Map<string, Command> {
	let loaded: Promise<Map<string, Command>> | undefined
	const commands = async (): Promise<Map<string, Command>> => {
		loaded ??= import('./update-session.ts').then(({ sessionCommands }) => sessionCommands())
		return await loaded
	}
	const ask = (name: typeof NAMES[number]): Command => async (request: Request) =>
		await (await commands()).get(name)!(request)
	// What a person types shows how far it is.
	return new Map([...NAMES.map((name) => [name, ask(name)] as const),
		['update', ask('update-status')]])
}
