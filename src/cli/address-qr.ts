// curvegate address qr ADDRESS: two modules a character, with the quiet zone that readers need.

import { EXIT_DONE } from '../platform/trouble.ts'
import { formatAddress, parseAddress } from '../service/address.ts'
import { drawBlocks, modulesOf } from '../service/qr.ts'
import type { Run } from './command.ts'
import { inColour, printLine } from './output.ts'

/** Black on white whatever the terminal's colours are; then back to those. */
const BLACK_ON_WHITE = '\u001b[30;107m'
const RESET = '\u001b[0m'

export const run: Run = async (args) => {
	const address = formatAddress(parseAddress(args.positionals[0]!))
	const data = await modulesOf(address)
	if (inColour()) {
		const lines = drawBlocks(data).split('\n')
		printLine(lines.map((line) => BLACK_ON_WHITE + line + RESET).join('\n'))
	} else {
		// Most terminals write light on dark: there the light modules are the drawn ones.
		printLine(drawBlocks(args.has('invert') ? data : data.map((row) => row.map((dark) => !dark))))
	}
	printLine(address)
	return EXIT_DONE
}
