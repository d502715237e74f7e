// Writes an image to a card, a disk or a plain file: shows what will happen, asks, writes, and
// compares.
// `make flash BOARD=… DEVICE=… ARGS='…'`. Exit codes, one for each cause, are in flash/exit.ts.

import { createInterface } from 'node:readline/promises'
import { readArguments, type Arguments } from '../src/cli/arguments.ts'
import type { Command } from '../src/cli/command.ts'
import { columns } from '../src/cli/help.ts'
import { Progress } from '../src/cli/progress.ts'
import { amount, clean } from '../src/service/quantity-text.ts'
import { Usage } from '../src/platform/trouble.ts'
import { lookAt, type Target } from './flash/device.ts'
import { EXIT_CODES, Refusal } from './flash/exit.ts'
import { guard } from './flash/guards.ts'
import { checkImage, readImage, type Image } from './flash/image.ts'
import { openMedium } from './flash/medium.ts'
import { provision, readProvisions, type Provision } from './flash/provision.ts'
import { writeImage, type Written } from './flash/write.ts'

const FLASH: Command = {
	name: 'flash',
	takes: [],
	summary: 'writes an image to a card, a disk or a plain file, and compares it',
	options: [
		{ name: 'board', value: 'NAME', summary: 'the board that the card is for' },
		{ name: 'device', value: 'PATH', summary: 'a whole disk, or a file' },
		{ name: 'image', value: 'FILE',
			summary: 'image.json of the image; build/image/BOARD/image.json when absent' },
		{ name: 'provision', value: 'FILE', many: true,
			summary: 'becomes curvegate.toml for the first start; further ones keep their names' },
		{ name: 'dry-run', summary: 'checks and shows everything, and writes nothing' },
		{ name: 'yes', summary: 'asks nobody' },
		{ name: 'large', summary: 'also a disk above 256 GB' },
		{ name: 'force-fixed', summary: 'also a disk that cannot be taken out' },
		{ name: 'json', summary: 'one line of JSON for each event' },
	],
	load: () => Promise.reject(new Error('a script is no command')),
}

interface Plan {
	readonly image: Image
	readonly target: Target
	readonly files: readonly Provision[]
}

async function main(words: readonly string[]): Promise<void> {
	const args = readArguments(FLASH, words)
	if (args.has('help')) return console.log(helpText())
	const json = args.has('json')
	const progress = new Progress({
		out: json ? process.stdout : process.stderr, clock: () => performance.now(), json,
	})
	const plan = await makePlan(args, progress)
	if (json) say({ event: 'plan', ...plan })
	else console.log(planText(plan))
	if (args.has('dry-run')) return done(json, { written: false }, 'nothing was written: --dry-run')
	if (!args.has('yes')) await confirm(plan.target)
	const written = write(plan, progress)
	done(json, { written: true, ...written }, `${plan.target.path} is written and compared`
		+ (written.fromMedium ? '' : ' (read back through the cache of this machine)'))
}

/** Nothing is opened for writing before all of this has passed. */
async function makePlan(args: Arguments, progress: Progress): Promise<Plan> {
	const board = args.demand('board')
	const device = args.demand('device')
	const files = await readProvisions(args.texts('provision') ?? [], board)
	const image = readImage(args.text('image') ?? `build/image/${board}/image.json`, board)
	const target = lookAt(device)
	const refusal = guard(target, image.bytes, {
		forceFixed: args.has('force-fixed'), large: args.has('large'),
	})
	if (refusal !== undefined) throw refusal
	progress.begin('check', image.bytes)
	checkImage(image, (bytes) => progress.at(bytes))
	return { image, target, files }
}

function planText({ image, target, files }: Plan): string {
	const { path, model, serial, bus, bytes, removable, partitions } = target
	const size = bytes === 0 ? 'made anew' : amount(bytes)
	const holds = partitions.map((part) => `${part.name} ${amount(part.bytes)}`).join(', ')
	return [
		`image      ${image.path}: ${amount(image.bytes)}, ${image.version}, for ${image.board}`,
		`           sha256 ${image.sha256}`,
		`target     ${[path, model, serial === undefined ? undefined : `serial ${serial}`, size, bus,
			removable ? undefined : 'fixed'].filter((word) => word !== undefined).join(', ')}`,
		...bytes === 0 ? [] : [`holds      ${holds || 'no partitions'}: all of it will be lost`],
		...files.map((file) => `provision  ${file.name}, ${amount(file.bytes)}, from ${file.path}`),
		`writes     ${amount(image.bytes)}, then reads it back`,
	].map(clean).join('\n')
}

async function confirm({ name }: Target): Promise<void> {
	if (!process.stdin.isTTY) {
		throw new Refusal('unconfirmed', 'nobody is here to confirm; when it is meant: --yes')
	}
	const asked = createInterface({ input: process.stdin, output: process.stderr })
	const answer = await asked.question(`type ${name} to overwrite it: `)
	asked.close()
	if (answer.trim() !== name) throw new Refusal('unconfirmed', 'not confirmed; nothing was written')
}

function write({ image, target, files }: Plan, progress: Progress): Written {
	const source = provision(image, files)
	try {
		const medium = openMedium(target)
		let phase = ''
		try {
			return writeImage(source, medium, files.length === 0 ? image.sha256 : undefined,
				(now, bytes) => {
					if (now !== phase) progress.begin(phase = now, source.bytes)
					progress.at(bytes)
				})
		} finally {
			progress.clear()
			medium.close()
		}
	} finally {
		source.close()
	}
}

function say(event: object): void {
	console.log(JSON.stringify(event))
}

function done(json: boolean, facts: object, text: string): void {
	if (json) say({ event: 'done', ...facts })
	else console.log(text)
}

function helpText(): string {
	const codes = Object.values(EXIT_CODES).map(([code, what]) => [String(code), what] as const)
	return [
		"usage: make flash BOARD=NAME DEVICE=PATH [ARGS='OPTION…']", '',
		`${FLASH.summary[0]!.toUpperCase()}${FLASH.summary.slice(1)}.`, '',
		...columns(FLASH.options.map((one) => [
			`--${one.name}${one.value === undefined ? '' : ` ${one.value}`}`, one.summary])),
		'', 'Exit codes:', '', ...columns(codes),
	].join('\n')
}

try {
	await main(process.argv.slice(2))
} catch (error) {
	const [cause, code] = error instanceof Refusal ? [error.cause, error.exitCode]
		: error instanceof Usage ? ['usage', EXIT_CODES.usage[0]] : ['trouble', EXIT_CODES.trouble[0]]
	const message = error instanceof Error ? error.message : String(error)
	if (process.argv.includes('--json')) say({ event: 'error', cause, code, message })
	process.stderr.write(`flash: ${message}\n`)
	process.exitCode = Number(code)
}
