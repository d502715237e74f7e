// curvegate boards: the profiles that are known here.

import { EXIT_DONE, EXIT_USAGE } from '../platform/trouble.ts'
import { boardFolders, loadBoards, recognise, thisMachine } from '../service/board.ts'
import { summary } from '../service/board-report.ts'
import { formatSize } from '../service/quantities.ts'
import { inColumns } from '../service/table-text.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

export const run: Run = async (args) => {
	const folders = boardFolders(args.text('boards'))
	const { boards, faults } = await loadBoards(folders)
	const here = recognise(boards, thisMachine())
	if (args.has('json')) {
		printJson({ boards: boards.map(summary), thisMachine: here?.name, folders, errors: faults })
	} else {
		const rows = boards.map(({ name, profile }) => {
			const { ram } = profile.hardware
			return [
				name, profile.status.level, ram === 'machine' ? '-' : formatSize(ram),
				profile.image === undefined ? '-' : 'image',
				`${profile.title}${name === here?.name ? ' (this machine)' : ''}`,
			]
		})
		for (const line of inColumns([['NAME', 'STATUS', 'RAM', 'IMAGE', 'BOARD'], ...rows])) {
			printLine(line)
		}
	}
	for (const { cause } of faults) process.stderr.write(`curvegate boards: ${cause}\n`)
	return faults.length === 0 ? EXIT_DONE : EXIT_USAGE
}
