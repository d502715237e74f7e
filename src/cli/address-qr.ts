// curvegate address qr ADDRESS: two modules a character, with the quiet zone that readers need.

import { EXIT_DONE } from '../platform/trouble.ts'
import { formatAddress, parseAddress } from '../service/address.ts'
import type { Run } from './command.ts'
import { inColour, printLine } from './output.ts'

const QUIET_ZONE = 4
/** Black on white whatever the terminal's colours are; then back to those. */
const BLACK_ON_WHITE = '\u001b[30;107m'
const RESET = '\u001b[0m'

export const run: Run = async (args) => {
	const address = formatAddress(parseAddress(args.positionals[0]!))
	const { encode } = await import('uqr')
	const { data } = encode(address, { ecc: 'M', border: QUIET_ZONE })
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

/** Half blocks: true is drawn. */
export function drawBlocks(modules: readonly (readonly boolean[])[]): string {
	const lines: string[] = []
	for (let y = 0; y < modules.length; y += 2) {
		const lower = modules[y + 1]
		lines.push(modules[y]!.map((drawn, x) => {
			if (drawn) return lower?.[x] === true ? '█' : '▀'
			return lower?.[x] === true ? '▄' : ' '
		}).join(''))
	}
	return lines.join('\n')
}
