// Changes of the configuration on their way: collected, validated, tried with a way back, written.
// On trial nothing is written, so that a power cut, a crash and an operator who has cut himself off
// all end with the file as it was. What only a new start brings is tried over one, where there is
// somebody who starts the process again.

import { SECOND, type Nanos } from '../base/time.ts'
import { nodeDisk, type Disk } from '../platform/disk.ts'
import type { Timers } from '../platform/timers.ts'
import { causeOf, Usage } from '../platform/trouble.ts'
import { Refusal } from './control-commands.ts'
import { changesOf, type Changes } from './config-changes.ts'
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
	/** Ends this process, after the answer has left. */
	restart(): void
}

/** Where a process's configuration comes from. */
export interface ConfigSource {
	readonly options: ConfigOptions
	/** The file as it is now. */
	read(): Promise<Config>
	/** What a device adds to every configuration. */
	complete?(config: Config): Config
	/** undefined: a process that ends is not started again. */
	readonly trials?: TrialPlace
}

export interface Trial {
	readonly edits: readonly Edit[]
	readonly seconds: number
}

/** From one process to the next, and not over a power cut. */
export interface TrialPlace {
	/** What this process was started with. isOver: the one before had it on trial, in vain. */
	readonly left: Trial & { readonly isOver: boolean } | undefined
	/** The next process starts with it. */
	leave(trial: Trial): void
	/** It is written: the next process has nothing to undo. */
	end(): void
}

interface OnTrial {
	readonly endsAt: Nanos
	readonly isOverRestart: boolean
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
	#trial: OnTrial | undefined
	#forget = (): void => undefined

	constructor(options: CandidateOptions) {
		this.#o = options
		this.#disk = options.disk ?? nodeDisk
		const left = options.source.trials?.left
		this.#edits = [...left?.edits ?? []]
		if (left?.isOver === false) this.#onTrial(left.seconds, true)
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
		const config = await this.#completed()
		// Of these changes; what the file had before waits for its own restart.
		const { needRestart } = changesOf(await this.#o.source.read(), config)
		if (needRestart.length > 0) return this.#overRestart(seconds, needRestart)
		const changes = await this.#o.reload(() => Promise.resolve(config))
		this.#onTrial(seconds, false)
		this.#o.log.say('info', 'config-on-trial', { seconds, changes: this.#edits.length })
		return { ...changes, ...this.#state() }
	}

	/** What is on trial is written; without a trial, the same as save. */
	async commit(): Promise<ConfigAnswer> {
		const trial = this.#trial
		if (trial === undefined) return await this.save(false)
		// Confirmed is confirmed, however long the writing takes.
		this.#forget()
		try {
			// Somebody may have reloaded the file meanwhile.
			return await this.#write(await this.#apply())
		} catch (error) {
			this.#await(trial)
			throw error
		}
	}

	async revert(): Promise<ConfigAnswer> {
		if (this.#trial === undefined) throw new Refusal('nothing is on trial')
		const { isOverRestart } = this.#trial
		const changes = await this.#undo()
		return { ...changes, ...this.#state(), done: isOverRestart
			? 'starting anew without the changes, which are pending then'
			: 'as before; the changes are pending' }
	}

	#overRestart(seconds: number, needRestart: readonly string[]): ConfigAnswer {
		const { source: { trials }, log, restart } = this.#o
		if (trials === undefined) {
			throw new Refusal(`only a new start brings ${needRestart.join(', ')}, and nobody would start `
				+ 'this process again to undo it: "config save force" writes it, untried')
		}
		trials.leave({ edits: this.#edits, seconds })
		log.say('warn', 'config-trial-starts', { seconds, needRestart: needRestart.join(', ') })
		restart()
		return {
			...this.#state(), needRestart, revertSeconds: seconds,
			done: `starting anew with the changes; from then on they are on trial for ${seconds} s`,
		}
	}

	#onTrial(seconds: number, isOverRestart: boolean): void {
		this.#trial = { endsAt: this.#o.timers.now() + seconds * SECOND, isOverRestart }
		this.#await(this.#trial)
	}

	#await({ endsAt, isOverRestart }: OnTrial): void {
		const { timers, log, told } = this.#o
		this.#forget = timers.after(Math.max(0, endsAt - timers.now()), () => {
			this.#undo().then(() => {
				told?.(`nobody said commit: ${isOverRestart ? 'starting anew without the changes'
					: 'the changes are undone, and pending'}`)
			}).catch((error: unknown) => {
				log.say('error', 'not-reverted', { cause: causeOf(error) })
			})
		})
	}

	async #undo(): Promise<Changes> {
		const { source, log, restart } = this.#o
		const isOverRestart = this.#trial?.isOverRestart === true
		this.#endTrial()
		log.say('warn', 'config-reverted', { how: isOverRestart ? 'restart' : 'reload' })
		if (!isOverRestart) return await this.#o.reload(() => source.read())
		restart()
		return { applied: [], needRestart: [] }
	}

	#endTrial(): void {
		this.#forget()
		this.#trial = undefined
	}

	#edited(): Promise<{ text: string, config: Config }> {
		return editedConfig(this.#o.file, this.#edits, this.#o.source.options)
	}

	async #completed(): Promise<Config> {
		const { config } = await this.#edited()
		return this.#o.source.complete?.(config) ?? config
	}

	async #apply(): Promise<Changes> {
		const config = await this.#completed()
		return await this.#o.reload(() => Promise.resolve(config))
	}

	/** What cannot be written is not kept running either: the next start would not have it. */
	async #write(changes: Changes): Promise<ConfigAnswer> {
		const { file, source: { options, trials } } = this.#o
		try {
			await saveConfig(file, this.#edits, { ...options, disk: this.#disk })
		} catch (error) {
			if (this.#trial === undefined) await this.#undo()
			throw error
		}
		this.#edits = []
		this.#endTrial()
		trials?.end()
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
