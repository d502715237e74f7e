// Changes of the configuration on their way: collected, validated, tried with a way back, written.
// On trial nothing is written, so that a power cut, a crash and an operator who has cut himself off
// all end with the file as it was.

import { SECOND } from '../base/time.ts'
import { nodeDisk, type Disk } from '../platform/disk.ts'
import type { Timers } from '../platform/timers.ts'
import { causeOf, Usage } from '../platform/trouble.ts'
import { Refusal } from './control-commands.ts'
import type { Changes } from './config-changes.ts'
import { editedConfig, saveConfig, type Edit } from './config-save.ts'
import type { Config, ConfigOptions } from './config.ts'
import { keyText, maskSecrets, valueText } from './config-words.ts'
import type { Log } from './log.ts'
import { readTomlFile } from './toml-file.ts'

export interface CandidateOptions {
	readonly file: string
	readonly source: ConfigSource
	readonly timers: Timers
	readonly log: Log
	readonly disk?: Disk
	/** Something that no question asked for. */
	told?(text: string): void
	/** The running process takes another configuration, or throws and stays as it is. */
	reload(read: () => Promise<Config>): Promise<Changes>
}

/** Where a process's configuration comes from. */
export interface ConfigSource {
	readonly options: ConfigOptions
	/** The file as it is now. */
	read(): Promise<Config>
	/** What a device adds to every configuration. */
	complete?(config: Config): Config
}

export interface ConfigAnswer {
	readonly pending: readonly string[]
	readonly faults?: readonly string[]
	readonly text?: string
	readonly applied?: readonly string[]
	readonly needRestart?: readonly string[]
	/** Until the changes on trial are undone. */
	readonly revertSeconds?: number
	readonly done?: string
}

export const TRIAL_SECONDS = 120
export const TRIAL_SECONDS_MAX = 3600

/** Tables and keys that say how this machine is reached. */
const WAYS_IN = ['server', 'keys', 'extension', 'gateway', 'console', 'network', 'user', 'board']

export class Candidate {
	readonly #o: CandidateOptions
	readonly #disk: Disk
	#edits: Edit[] = []
	#trial: { readonly forget: () => void, readonly endsAt: number } | undefined

	constructor(options: CandidateOptions) {
		this.#o = options
		this.#disk = options.disk ?? nodeDisk
	}

	async show(): Promise<ConfigAnswer> {
		const text = this.#edits.length === 0 ? readTomlFile(this.#o.file, 'the configuration').text
			: (await this.#edited()).text
		return { ...this.#state(), text: maskSecrets(text) }
	}

	diff(): ConfigAnswer {
		return this.#state()
	}

	/** What is invalid so far is said, and kept: a second change may make it right. */
	async change(edit: Edit): Promise<ConfigAnswer> {
		this.#notOnTrial()
		const kept = this.#edits.filter(({ path }) => path.join('.') !== edit.path.join('.'))
		const before = this.#edits
		this.#edits = [...kept, edit]
		try {
			await this.#edited()
			return this.#state()
		} catch (error) {
			if (error instanceof Usage) return { ...this.#state(), faults: error.message.split('\n') }
			this.#edits = before
			throw new Refusal(`this cannot be changed so: ${causeOf(error).replace(/^bug: /, '')}`)
		}
	}

	discard(): ConfigAnswer {
		this.#notOnTrial()
		this.#edits = []
		return { ...this.#state(), done: 'as the file has it' }
	}

	/** Applied and written. force: also what could cut off whoever does it. */
	async save(force: boolean): Promise<ConfigAnswer> {
		if (this.#trial !== undefined) return await this.commit()
		const risky = this.#edits.find(({ path }) => WAYS_IN.includes(String(path[0])))
		if (risky !== undefined && !force) {
			throw new Refusal(`${keyText(risky.path)} changes how this machine is reached: `
				+ 'commit confirmed tries it, and undoes it unless commit follows')
		}
		this.#notEmpty()
		const changes = await this.#apply()
		return await this.#write(changes)
	}

	async confirmed(seconds = TRIAL_SECONDS): Promise<ConfigAnswer> {
		const fits = Number.isInteger(seconds) && seconds >= 1 && seconds <= TRIAL_SECONDS_MAX
		if (!fits) throw new Refusal(`a whole number of seconds from 1 to ${TRIAL_SECONDS_MAX}`)
		this.#notOnTrial()
		this.#notEmpty()
		const { timers, log } = this.#o
		const changes = await this.#apply()
		const forget = timers.after(seconds * SECOND, () => {
			this.#undo().then(() => {
				this.#o.told?.('nobody said commit: the changes are undone, and pending')
			}).catch((error: unknown) => {
				log.say('error', 'not-reverted', { cause: causeOf(error) })
			})
		})
		this.#trial = { forget, endsAt: timers.now() + seconds * SECOND }
		log.say('info', 'config-on-trial', { seconds, changes: this.#edits.length })
		const limit = changes.needRestart.length === 0 ? {}
			: { done: 'what needs a restart is not on trial: it has no way back once committed' }
		return { ...changes, ...this.#state(), ...limit }
	}

	/** What is on trial is written; without a trial, the same as save. */
	async commit(): Promise<ConfigAnswer> {
		if (this.#trial === undefined) return await this.save(false)
		// Somebody may have reloaded the file meanwhile.
		const changes = await this.#apply()
		const answer = await this.#write(changes)
		this.#trial.forget()
		this.#trial = undefined
		return { ...answer, ...this.#state(), done: answer.done ?? '' }
	}

	async revert(): Promise<ConfigAnswer> {
		if (this.#trial === undefined) throw new Refusal('nothing is on trial')
		return { ...await this.#undo(), ...this.#state(), done: 'as before; the changes are pending' }
	}

	async #undo(): Promise<Changes> {
		this.#trial?.forget()
		this.#trial = undefined
		const { source, log } = this.#o
		const changes = await this.#o.reload(() => source.read())
		log.say('warn', 'config-reverted', { changes: changes.applied.length })
		return changes
	}

	#edited(): Promise<{ text: string, config: Config }> {
		return editedConfig(this.#o.file, this.#edits, this.#o.source.options)
	}

	async #apply(): Promise<Changes> {
		const { config } = await this.#edited()
		return await this.#o.reload(async () => this.#o.source.complete?.(config) ?? config)
	}

	/** What cannot be written is not kept running either: the next start would not have it. */
	async #write(changes: Partial<Changes>): Promise<ConfigAnswer> {
		const { file, source: { options } } = this.#o
		try {
			await saveConfig(file, this.#edits, { ...options, disk: this.#disk })
		} catch (error) {
			if (this.#trial === undefined) await this.#undo()
			throw error
		}
		this.#edits = []
		return { ...changes, ...this.#state(), done: `written to ${file}` }
	}

	#state(): ConfigAnswer {
		const pending = this.#edits.map(({ path, value }) => value === undefined
			? `unset ${keyText(path)}` : `set ${keyText(path)} ${valueText(path, value)}`)
		if (this.#trial === undefined) return { pending }
		const left = Math.max(0, this.#trial.endsAt - this.#o.timers.now())
		return { pending, revertSeconds: Math.ceil(left / SECOND) }
	}

	#notOnTrial(): void {
		if (this.#trial === undefined) return
		throw new Refusal('changes are on trial: commit, or commit revert')
	}

	#notEmpty(): void {
		if (this.#edits.length === 0) throw new Refusal('nothing is pending: config set KEY VALUE')
	}
}
