// What a command is: one entry in commands.ts and one file. Help, completions and the checking of
// what was typed come from the entry; the file is loaded when the command runs.

import type { Arguments } from './arguments.ts'

export interface Option {
	/** Without the dashes. */
	readonly name: string
	/** What follows it, as the help shows it: IP:PORT. Absent: a flag that stands alone. */
	readonly value?: string
	readonly summary: string
	/** When only these are meant: the shells complete them. */
	readonly choices?: readonly string[]
	/** May be given several times. */
	readonly many?: boolean
	/** Takes everything that follows on the line: --exec PROG ARGS… */
	readonly rest?: boolean
}

export interface Command {
	/** One or two words: 'keygen', 'address make'. */
	readonly name: string
	/** What stands beside the options, in order: 'DIR'; in brackets when it may be absent. */
	readonly takes: readonly string[]
	readonly summary: string
	readonly options: readonly Option[]
	/** Whole lines to try, shown by --help. */
	readonly examples?: readonly string[]
	readonly load: () => Promise<{ readonly run: Run }>
}

/** Returns the exit code; throws Trouble or Usage. */
export type Run = (args: Arguments) => number | Promise<number>
