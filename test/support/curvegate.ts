// Runs our own command line as a process and collects what it says.

import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'

const MAIN = 'build/out/src/cli/main.js'

export interface Said {
	readonly code: number | null
	readonly stdout: string
	readonly stderr: string
}

/** To its end. The environment is ours, without colour. */
export function runCurvegate(args: readonly string[], input = ''): Said {
	const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
		encoding: 'utf8', input, env: { ...process.env, NO_COLOR: '1' }, timeout: 60_000,
	})
	return { code: status, stdout, stderr }
}

/** For what stays: whoever starts it ends it. */
export function startCurvegate(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
	return spawn(process.execPath, [MAIN, ...args], options)
}
