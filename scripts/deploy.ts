// Brings the program to a machine that already runs Linux, over ssh: Raspberry Pi OS, Debian,
// OpenWrt. `make deploy HOST=pi@box`. The version before stays, and comes back when the new one
// does not answer. What happens there is deploy/install.ts.

import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { readArguments, type Arguments } from '../src/cli/arguments.ts'
import type { Command } from '../src/cli/command.ts'
import { columns } from '../src/cli/help.ts'
import { Progress } from '../src/cli/progress.ts'
import { amount } from '../src/service/quantity-text.ts'
import { EXIT_DONE, EXIT_TROUBLE, EXIT_USAGE, Trouble, Usage } from '../src/platform/trouble.ts'
import { splitWords } from '../src/service/words.ts'
import { shellQuote } from '../src/base/shell.ts'
import { ARCHITECTURES, makeParcel, type Parcel } from './deploy/parcel.ts'

const DEPLOY: Command = {
	name: 'deploy',
	takes: [],
	summary: 'brings the program to a machine that already runs Linux, over ssh',
	options: [
		{ name: 'host', value: 'HOST', summary: 'as ssh takes it: pi@raspberrypi' },
		{ name: 'ssh', value: 'COMMAND', summary: 'instead of ssh: \'ssh -p 2222 -i key\'' },
		{ name: 'root', value: 'DIR', summary: 'everything below this folder; / when absent' },
		{ name: 'runtime', value: 'PATH',
			summary: 'brings Node.js along: root.img of an image, or a folder with bin/node and its '
				+ 'libraries; for OpenWrt' },
		{ name: 'bundle', value: 'FILE', summary: 'the program; build/curvegate when absent' },
		{ name: 'rollback', summary: 'back to the version before' },
		{ name: 'dry-run', summary: 'looks, says what would be done, and does nothing' },
		{ name: 'json', summary: 'one line of JSON for each event' },
	],
	load: () => Promise.reject(new Error('a script is no command')),
}

/** Said by a machine about itself; works in every shell. */
const LOOK = `echo machine=$(uname -m)
echo node=$(node --version 2>/dev/null)
[ -d "$R/run/systemd/system" ] && echo manager=systemd
[ -f "$R/etc/rc.common" ] && echo manager=procd
echo release=$(readlink "$R/opt/curvegate/current" 2>/dev/null)
[ "$(id -u)" = 0 ] && echo rights=root || { sudo -n true 2>/dev/null && echo rights=sudo; }
:`

const NODE_MIN = [20, 19]

interface Machine {
	readonly machine: string
	readonly node: string | undefined
	readonly manager: string | undefined
	readonly release: string | undefined
	readonly sudo: string
}

type Say = (event: object, words: string) => void

async function main(words: readonly string[]): Promise<number> {
	const args = readArguments(DEPLOY, words)
	if (args.has('help')) return help()
	const json = args.has('json')
	const say: Say = (event, line) => console.log(json ? JSON.stringify(event) : line)
	const remote = new Remote(args)
	const machine = await lookAt(remote, args)
	const { machine: kind, node, manager, release } = machine
	const runs = release === undefined ? 'no release yet' : `runs ${release}`
	say({ event: 'machine', ...machine }, `${remote.host}: ${kind}, `
		+ `${manager ?? 'no service manager'}, Node.js ${node ?? 'none'}, ${runs}`)
	if (args.has('rollback')) {
		if (args.has('dry-run')) return EXIT_DONE
		if (release === undefined) throw new Trouble('roll back', remote.host, 'nothing is there yet')
		return await remote.run(`cd ${remote.root}/opt/curvegate/current && `
			+ `${machine.sudo} ./node ./install.js rollback ${remote.root}/`, undefined, say)
	}
	const parcel = await makeParcel(kind, args.text('bundle') ?? 'build/curvegate',
		args.text('runtime'))
	say({ event: 'parcel', ...parcel }, `brings ${parcel.name}, ${amount(parcel.bytes)}`)
	if (args.has('dry-run')) return EXIT_DONE
	return await send(remote, machine, parcel, json, say)
}

async function send(
	remote: Remote, { sudo }: Machine, parcel: Parcel, json: boolean, say: Say,
): Promise<number> {
	const progress = new Progress({
		out: json ? process.stdout : process.stderr, clock: () => performance.now(), json,
	})
	const command = [
		'd=$(mktemp -d) || exit 111', 'trap \'rm -rf "$d"\' EXIT', 'tar -xzf - -C "$d" || exit 111',
		`${sudo} "$d/release/node" "$d/release/install.js" install ${remote.root}/ "$d"`,
	].join('\n')
	progress.begin('send', parcel.bytes)
	const code = await remote.run(command, { parcel, sent: (n) => progress.at(n) }, say)
	progress.clear()
	return code
}

async function lookAt(remote: Remote, args: Arguments): Promise<Machine> {
	const facts = new Map((await remote.ask(`R=${remote.root}\n${LOOK}`))
		.split('\n').filter((line) => line.includes('='))
		.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()]))
	const machine = facts.get('machine') ?? ''
	const node = facts.get('node') || undefined
	const rights = facts.get('rights')
	if (ARCHITECTURES[machine] === undefined) {
		throw new Trouble('deploy to', remote.host, `its processor is ${machine || 'unknown'}; known: `
			+ Object.keys(ARCHITECTURES).join(', '))
	}
	if (rights === undefined) {
		throw new Trouble('deploy to', remote.host, 'neither root nor sudo without a password')
	}
	if (!args.has('runtime') && !isNew(node)) {
		throw new Trouble('deploy to', remote.host, `Node.js ${NODE_MIN.join('.')} or newer is needed, `
			+ `found ${node ?? 'none'}; cure: apt install nodejs, or --runtime`)
	}
	const release = facts.get('release')?.split('/').at(-1)
	return {
		machine, node, manager: facts.get('manager'), release: release === '' ? undefined : release,
		sudo: rights === 'sudo' ? 'sudo -n' : '',
	}
}

function isNew(node: string | undefined): boolean {
	const [major = 0, minor = 0] = (node ?? '').replace('v', '').split('.').map(Number)
	return major > NODE_MIN[0]! || (major === NODE_MIN[0] && minor >= NODE_MIN[1]!)
}

interface Cargo {
	readonly parcel: Parcel
	readonly sent: (bytes: number) => void
}

class Remote {
	readonly host: string
	/** As a word of the shell there, without a slash at its end. */
	readonly root: string
	readonly #ssh: readonly string[]

	constructor(args: Arguments) {
		this.host = args.demand('host')
		if (this.host.startsWith('-')) throw new Usage(`--host ${this.host}: is an option of ssh`)
		const words = splitWords(args.text('ssh') ?? 'ssh')
		if ('message' in words) throw new Usage(`--ssh: ${words.message}`)
		this.#ssh = words
		const root = args.text('root') ?? '/'
		if (!root.startsWith('/')) throw new Usage('--root: expected a path from / on')
		this.root = shellQuote(root.replace(/\/+$/, ''))
	}

	/** What a script says there. */
	async ask(script: string): Promise<string> {
		const child = this.#start('sh -s', 'pipe')
		child.stdin!.on('error', () => {})
		child.stdin!.end(script)
		const [said, code] = await Promise.all([text(child.stdout!), ended(child)])
		if (code !== 0) throw new Trouble('reach', this.host, `ssh ended with ${code}`)
		return said
	}

	/** Runs a command there, with the parcel as its input; its events are said here. */
	async run(command: string, cargo: Cargo | undefined, say: Say): Promise<number> {
		const input = cargo === undefined ? 'ignore' : 'pipe'
		const child = this.#start(`sh -c ${shellQuote(command)}`, input)
		let sent = 0
		const feed = cargo && pipeline(createReadStream(cargo.parcel.file), async function* (source) {
			for await (const chunk of source) {
				yield chunk
				cargo.sent(sent += chunk.length)
			}
		}, child.stdin!).catch(() => {})
		const [said, code] = await Promise.all([text(child.stdout!), ended(child), feed])
		for (const line of said.split('\n').filter((one) => one.startsWith('{'))) {
			const event: Event = JSON.parse(line)
			say(event, wordsOf(event))
		}
		if (code !== EXIT_DONE && !said.includes('"event":"error"')) {
			throw new Trouble('deploy to', this.host, `what runs there ended with ${code}`)
		}
		return code
	}

	#start(command: string, input: 'pipe' | 'ignore') {
		const [program, ...words] = this.#ssh
		return spawn(program!, [...words, this.host, command], { stdio: [input, 'pipe', 'inherit'] })
	}
}

function ended(child: ReturnType<typeof spawn>): Promise<number> {
	return new Promise((resolve, reject) => {
		child.once('error', reject)
		child.once('close', (code) => resolve(code ?? EXIT_TROUBLE))
	})
}

interface Event {
	readonly event: string
	readonly release?: string
	readonly before?: string | null
	readonly note?: string
	readonly message?: string
	readonly running?: boolean
}

function wordsOf({ event, release, before, note, message, running }: Event): string {
	const kept = typeof before === 'string' ? `; ${before} is kept` : ''
	if (event === 'installed') {
		return `${release} is installed${running === true ? ' and answers' : ''}${kept}`
	}
	if (event === 'rolled-back') return `${release} runs again${kept}`
	return note ?? `deploy: ${message ?? event}`
}

function help(): number {
	console.log(["usage: make deploy HOST=HOST [ARGS='OPTION…']", '',
		...columns(DEPLOY.options.map(({ name, value, summary }) =>
			[`--${name}${value === undefined ? '' : ` ${value}`}`, summary])), '',
		'Exit codes: 0 done, 100 wrong usage, or a configuration there that the new version does not '
		+ 'take, 111 trouble; then the version before runs.'].join('\n'))
	return EXIT_DONE
}

try {
	process.exitCode = await main(process.argv.slice(2))
} catch (error) {
	if (!(error instanceof Usage) && !(error instanceof Trouble)) throw error
	if (process.argv.includes('--json')) {
		console.log(JSON.stringify({ event: 'error', message: error.message }))
	}
	console.error(`deploy: ${error.message}`)
	process.exitCode = error instanceof Usage ? EXIT_USAGE : EXIT_TROUBLE
}
