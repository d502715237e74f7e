// A QR code as text: two modules a character.

const QUIET_ZONE = 4

/** Rows of modules, with the quiet zone that readers need; true is dark. */
export async function modulesOf(text: string): Promise<boolean[][]> {
	const { encode } = await import('uqr')
	return encode(text, { ecc: 'M', border: QUIET_ZONE }).data
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
