// curvecpmessage prog: the streams of prog made into messages on descriptors 8 and 9. spec:
// protocol.md 4, 6

import { inheritedDescriptors } from '../../platform/descriptors.ts'
import { handleMessages, type Role } from '../../service/message-handler.ts'
import { COMMON_USAGE, Words, readOptions, sayFatal, type Run } from './options.ts'

const USAGE = [
	...COMMON_USAGE,
	'-c (optional): program is a client; server starts first',
	'-C (optional): program is a client that starts first',
	'-s (optional): program is a server (default)',
	'prog: run this program',
]

const ROLES: Readonly<Record<string, Role>> = {
	s: 'server', c: 'client', C: 'clientStarts',
}

export const run: Run = async (tool, words) => {
	const inherited = inheritedDescriptors(7)
	const { flag, words: rest } = readOptions(words, 'cCs', '', USAGE)
	const program = new Words(rest, USAGE).program()
	return handleMessages({
		role: ROLES[flag ?? 's']!, words: program, inherited,
		say: (text) => sayFatal(tool, text),
	})
}
