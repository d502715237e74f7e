// Makes the signed update of what `make image` has built: a whole slot, or with --app the program's
// bundle alone, small enough for a serial line. `make update-file BOARD=… [ARGS=--app]`

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { VERSION } from '../src/base/version.ts'
import { amount } from '../src/service/quantity-text.ts'
import { EXIT_TROUBLE, EXIT_USAGE, Trouble, Usage } from '../src/platform/trouble.ts'
import { versionText } from '../src/service/firmware/manifest.ts'
import { sourceDate } from './source-date.ts'
import { ensureUpdateKey } from './update/key.ts'
import { appParts, slotParts, writeUpdate, type Parts, type Subject } from './update/pack.ts'

const UPDATES = 'build/update'

const HELP = `usage: make update-file BOARD=NAME [ARGS='OPTION…']

Makes build/update/NAME.update, or NAME-app.update, signed with .curvegate/update.key.

  --app            the program's bundle alone, for a serial line
  --key FILE       signs with this secret key, 128 hexadecimal digits
  --out FILE       the update's name`

function main(): void {
	const { values } = readOptions()
	if (values.help === true) return console.log(HELP)
	const { board } = values
	if (board === undefined) throw new Usage('BOARD is missing: make update-file BOARD=rpi-4')
	const folder = join('build/image', board)
	const isApp = values.app === true
	const [subject, parts] = isApp ? appOf(board) : slotOf(board, folder)
	const key = values.key ?? ensureUpdateKey().secretFile
	mkdirSync(UPDATES, { recursive: true })
	const file = values.out ?? join(UPDATES, `${board}${isApp ? '-app' : ''}.update`)
	const bytes = writeUpdate(file, subject, parts, key)
	const list = parts.map(([name, content]) => `${name} ${amount(content.length)}`).join(', ')
	console.log(`${file}: ${amount(bytes)}, ${board}, ${versionText(subject)}: ${list}`)
}

function readOptions(): ReturnType<typeof parse> {
	try {
		return parse()
	} catch (error) {
		throw new Usage(error instanceof Error ? error.message : String(error))
	}
}

function parse() {
	return parseArgs({ options: {
		board: { type: 'string' }, app: { type: 'boolean' }, key: { type: 'string' },
		out: { type: 'string' }, help: { type: 'boolean' },
	} })
}

function slotOf(board: string, folder: string): [Subject, Parts] {
	const file = join(folder, 'image.json')
	if (!existsSync(file)) {
		throw new Trouble('read', file, `no image was built; cure: make image BOARD=${board}`)
	}
	const { version, built }: Subject = JSON.parse(readFileSync(file, 'utf8'))
	return [{ board, version, built },
		slotParts(join(folder, 'boot.img'), join(folder, 'root.img'))]
}

function appOf(board: string): [Subject, Parts] {
	return [{ board, version: VERSION, built: sourceDate() }, appParts('build/curvegate')]
}

try {
	main()
} catch (error) {
	if (!(error instanceof Usage) && !(error instanceof Trouble)) throw error
	console.error(`update-file: ${error.message}`)
	process.exitCode = error instanceof Usage ? EXIT_USAGE : EXIT_TROUBLE
}
