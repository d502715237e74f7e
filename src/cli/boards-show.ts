// curvegate boards show NAME: the profile with everything it inherits, where each value came from
// and why, and the memory budget.

import { EXIT_DONE } from '../platform/trouble.ts'
import { boardFolders, loadBoard, thisMachine } from '../service/board.ts'
import { boardJson, boardText } from '../service/board-report.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

export const run: Run = async (args) => {
	const board = await loadBoard(args.positionals[0]!, boardFolders(args.text('boards')))
	const machine = thisMachine()
	if (args.has('json')) printJson(await boardJson(board, machine))
	else printLine(await boardText(board, machine))
	return EXIT_DONE
}
