// The commands config, commit and password: from a request to the changes that it means.

import type { Candidate, CandidateOptions } from './config-candidate.ts'
import { Refusal, type Command, type Request } from './control-commands.ts'
import { hashPassword, passwordFault } from './password.ts'

/** undefined: there is no configuration file. Loaded at the first use: it brings a parser. */
export function configCommands(options: CandidateOptions | undefined): Map<string, Command> {
	let candidate: Promise<Candidate> | undefined
	const get = async (): Promise<Candidate> => {
		if (options === undefined) throw new Refusal('this process has no configuration file')
		candidate ??= import('./config-candidate.ts').then(({ Candidate: Made }) => new Made(options))
		return await candidate
	}
	// On trial since the start of this process.
	if (options?.source.trials?.left !== undefined) void get()
	return new Map<string, Command>([
		['config', async (request) => await config(await get(), request)],
		['commit', async ({ action = 'commit', seconds }) => {
			const one = await get()
			if (action === 'commit') return await one.commit()
			if (action === 'revert') return await one.revert()
			if (action !== 'confirmed') throw new Refusal('action is commit, confirmed or revert')
			if (seconds !== undefined && typeof seconds !== 'number') {
				throw new Refusal('seconds is a number')
			}
			return await one.confirmed(seconds)
		}],
		['password', async ({ password }) => {
			if (typeof password !== 'string') throw new Refusal('password is missing')
			const fault = passwordFault(password)
			if (fault !== undefined) throw new Refusal(fault)
			const value = await hashPassword(password)
			return await (await get()).change({ path: ['console', 'password'], value })
		}],
	])
}

async function config(candidate: Candidate, request: Request): Promise<object> {
	const { action = 'show', force = false } = request
	switch (action) {
		case 'show': return await candidate.show()
		case 'diff': return candidate.diff()
		case 'discard': return candidate.discard()
		case 'save': return await candidate.save(force === true)
		case 'set':
		case 'unset': return await change(candidate, request)
		default: throw new Refusal('action is show, set, unset, diff, discard or save')
	}
}

async function change(candidate: Candidate, { action, key, value }: Request): Promise<object> {
	const { readKey, readValue } = await import('./config-words.ts')
	if (typeof key !== 'string') throw new Refusal('key is missing, as limits.connections')
	const path = readKey(key)
	if (action === 'unset') return await candidate.change({ path, value: undefined })
	if (path.at(-1) === 'password') throw new Refusal('the command password sets it, unseen')
	const isPlain = typeof value === 'number' || typeof value === 'boolean'
	if (!isPlain && typeof value !== 'string') throw new Refusal('value is missing, in TOML')
	return await candidate.change({ path, value: isPlain ? value : readValue(value) })
}
