// The manual page, generated from the command table that the help is drawn from.

import { VERSION } from '../src/base/version.ts'
import { HELP_OPTION, usageOf } from '../src/cli/arguments.ts'
import type { Command } from '../src/cli/command.ts'
import { optionTitle } from '../src/cli/help.ts'

/** date: YYYY-MM-DD, that of the source. */
export function manual(commands: readonly Command[], date: string): string {
	return [
		`.TH CURVEGATE 1 "${date}" "curvegate ${VERSION}" "User Commands"`,
		'.SH NAME',
		'curvegate \\- CurveCP server, client and gateway',
		'.SH SYNOPSIS',
		...commands.flatMap((one) => [`.B ${roff(usageOf(one))}`, '.br']),
		'.B curvegate \\-\\-version',
		'.SH DESCRIPTION',
		...DESCRIPTION.flatMap((text, i) => [...i === 0 ? [] : ['.PP'], ...prose(text)]),
		'.SH COMMANDS',
		...commands.flatMap(section),
		'.SH COMMANDS OF NACL',
		...prose(NACL_TEXT),
		...NACL_USAGE.flatMap((line) => ['.PP', `.B ${roff(line)}`]),
		...pairs('EXIT STATUS', EXITS),
		...pairs('ENVIRONMENT', ENVIRONMENT),
		...pairs('FILES', FILES),
		'.SH SEE ALSO',
		'.BR ssh_config (5),',
		'.BR nft (8)',
		'',
	].join('\n')
}

const DESCRIPTION = [
	'Reaches services on a small computer, a home router or the boxes behind it through one UDP '
		+ 'port, encrypted and authenticated from end to end. Every service is known by its own '
		+ 'public key, and an address that is passed on is all that anybody needs.',
	'Data goes to the standard output, messages to the standard error. With --json both are '
		+ 'readable for programs.',
]

const NACL_TEXT = 'Called by one of these names the program does what NaCl\'s command of that '
	+ 'name does, with its arguments, descriptors, files and exit codes; both may be mixed in '
	+ 'one pipeline.'

const NACL_USAGE = [
	'curvecpmakekey keydir',
	'curvecpprintkey keydir',
	'curvecpserver [-q] [-Q] [-v] [-c n] sname keydir ip port ext prog',
	'curvecpclient [-q] [-Q] [-v] [-c keydir] sname pk ip port ext prog',
	'curvecpmessage [-q] [-Q] [-v] [-c | -C | -s] prog',
]

type Pairs = readonly (readonly [string, string])[]

const EXITS: Pairs = [
	['0', 'Done.'],
	['100', 'Wrong usage or configuration.'],
	['111', 'Trouble in the world: a port is taken, nobody answers, a file is missing.'],
]

const ENVIRONMENT: Pairs = [
	['CURVEGATE_PLATFORM', 'portable leaves libsodium and batched system calls aside.'],
	['NO_COLOR', 'When it is not empty nothing is coloured.'],
]

const FILES: Pairs = [
	['/etc/curvegate/curvegate.toml', 'The configuration of the service.'],
	['/etc/curvecpextension', 'This machine\'s own extension, 16 raw bytes; zeros when absent.'],
]

function section(command: Command): string[] {
	const { summary, options, examples = [] } = command
	return [
		`.SS ${roff(usageOf(command))}`,
		...prose(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`),
		...[...options, HELP_OPTION].flatMap((option) =>
			['.TP', `.B ${roff(optionTitle(option))}`, ...prose(option.summary)]),
		...examples.length === 0 ? [] : [
			'.PP', 'Examples:', '.PP', '.nf', ...examples.map((line) => `  ${roff(line)}`), '.fi',
		],
	]
}

function pairs(title: string, rows: Pairs): string[] {
	return [
		`.SH ${title}`,
		...rows.flatMap(([left, right]) => ['.TP', `.B ${roff(left)}`, ...prose(right)]),
	]
}

const SPECIAL: Readonly<Record<string, string>> = {
	'\\': '\\e', '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti', '"': '\\(dq',
	'…': '...', '\n': ' ',
}

/** Lines of at most 72 characters, before what roff needs is added. */
function prose(text: string): string[] {
	return (text.match(/\S.{0,70}\S(?=\s|$)|\S+/g) ?? []).map(roff)
}

/** Text in which roff sees no command. */
function roff(text: string): string {
	const safe = text.replace(/[\\\-'`^~"…\n]/g, (one) => SPECIAL[one]!)
	return /^[.']/.test(safe) ? `\\&${safe}` : safe
}
