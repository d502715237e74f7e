// Shell completions, generated from the command table that the help is drawn from.

import { HELP_OPTION } from '../src/cli/arguments.ts'
import type { Command, Option } from '../src/cli/command.ts'

/** What a shell can offer for a value. */
type Kind = 'none' | 'file' | 'folder' | 'interface' | 'user' | 'program'

function kindOf({ name, value }: Option): Kind {
	if (name === 'user') return 'user'
	switch (value) {
		case 'FILE': return 'file'
		case 'DIR': return 'folder'
		case 'IFACE': return 'interface'
		case 'PROG ARGS…': return 'program'
		default: return 'none'
	}
}

function takesFolder({ takes }: Command): boolean {
	return takes.some((one) => one.includes('DIR'))
}

function takesFile({ takes }: Command): boolean {
	return takes.some((one) => /FILE|DEVICE/.test(one))
}

function optionsOf({ options }: Command): Option[] {
	return [...options, HELP_OPTION]
}

/** The words that may stand first, and what may stand second behind each. */
function wordTree(commands: readonly Command[]): Map<string, string[]> {
	const tree = new Map<string, string[]>([['help', []]])
	for (const { name } of commands) {
		const [first, second] = name.split(' ')
		const seconds = tree.get(first!) ?? []
		tree.set(first!, second === undefined ? seconds : [...seconds, second])
	}
	return tree
}

const BASH_OFFERS: Readonly<Record<Kind, string>> = {
	none: 'COMPREPLY=()',
	file: 'mapfile -t COMPREPLY < <(compgen -f -- "$cur"); compopt -o filenames',
	folder: 'mapfile -t COMPREPLY < <(compgen -d -- "$cur"); compopt -o filenames',
	interface: 'mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net)" -- "$cur")',
	user: 'mapfile -t COMPREPLY < <(compgen -u -- "$cur")',
	program: 'mapfile -t COMPREPLY < <(compgen -c -- "$cur")',
}

function bashWords(words: readonly string[]): string {
	return `mapfile -t COMPREPLY < <(compgen -W '${words.join(' ')}' -- "$cur")`
}

export function bashCompletion(commands: readonly Command[]): string {
	const tree = wordTree(commands)
	const groups = [...tree].filter(([, seconds]) => seconds.length > 0)
	return [
		'# bash completion of curvegate; made from its command table',
		'_curvegate() {',
		'	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command',
		'	COMPREPLY=()',
		'	if [ "$COMP_CWORD" = 1 ]; then',
		`		${bashWords([...tree.keys(), '--help', '--version'])}`,
		'		return',
		'	fi',
		'	command=${COMP_WORDS[1]}',
		...groups.flatMap(([first, seconds]) => bashGroup(first, seconds, commands)),
		'	case "$command" in',
		...commands.flatMap(bashCommand),
		'	esac',
		'}',
		'complete -F _curvegate curvegate',
		'',
	].join('\n')
}

/** A second word belongs to the command's name, unless the first is a command by itself. */
function bashGroup(
	first: string, seconds: readonly string[], commands: readonly Command[],
): string[] {
	const alone = commands.some(({ name }) => name === first)
	return [
		`	if [ "$command" = ${first} ]; then`,
		`		if [ "$COMP_CWORD" = 2 ]${alone ? ' && [ "${cur#-}" = "$cur" ]' : ''}; then`,
		`			${bashWords(seconds)}`,
		'			return',
		'		fi',
		'		case "${COMP_WORDS[2]}" in',
		`		${seconds.join('|')}) command="${first} \${COMP_WORDS[2]}";;`,
		'		esac',
		'	fi',
	]
}

function bashCommand(command: Command): string[] {
	const options = optionsOf(command)
	const valued = options.filter(({ value }) => value !== undefined)
	const names = options.map(({ name }) => `--${name}`)
	const rest = takesFolder(command) ? BASH_OFFERS.folder
		: takesFile(command) ? BASH_OFFERS.file : undefined
	return [
		`	'${command.name}')`,
		...valued.length === 0 ? [] : [
			'		case "$prev" in',
			...valued.map((option) => {
				const offer = option.choices === undefined ? BASH_OFFERS[kindOf(option)]
					: bashWords(option.choices)
				return `		--${option.name}) ${offer}; return;;`
			}),
			'		esac',
		],
		...rest === undefined ? [`		${bashWords(names)};;`] : [
			`		if [ "\${cur#-}" = "$cur" ]; then ${rest}`,
			`		else ${bashWords(names)}; fi;;`,
		],
	]
}

const ZSH_ACTIONS: Readonly<Record<Kind, string>> = {
	none: '', file: '_files', folder: '_files -/', interface: '_net_interfaces', user: '_users',
	program: '_command_names -e',
}

export function zshCompletion(commands: readonly Command[]): string {
	const tree = wordTree(commands)
	return [
		'#compdef curvegate',
		'# zsh completion of curvegate; made from its command table',
		'_curvegate() {',
		'	local command',
		'	if (( CURRENT == 2 )); then',
		'		local -a all=(',
		...[...tree.keys()].map((first) => `			${zshQuote(zshWord(first, commands))}`),
		'		)',
		"		_describe 'command' all",
		'		return',
		'	fi',
		'	command=$words[2]',
		'	case "$command $words[3]" in',
		...[...tree].filter(([, seconds]) => seconds.length > 0).map(([first, seconds]) =>
			`	${seconds.map((second) => `'${first} ${second}'`).join('|')}) `
				+ 'command="$words[2] $words[3]";;'),
		'	esac',
		...[...tree].filter(([, seconds]) => seconds.length > 0).flatMap(([first, seconds]) => [
			`	if [[ $command == ${first} ]] && (( CURRENT == 3 )) && [[ $words[3] != -* ]]; then`,
			'		local -a seconds=(',
			...seconds.map((second) => {
				const { summary } = commands.find(({ name }) => name === `${first} ${second}`)!
				return `			${zshQuote(`${second}:${summary}`)}`
			}),
			'		)',
			"		_describe 'command' seconds",
			'		return',
			'	fi',
		]),
		'	if [[ $command == *" "* ]]; then shift words; (( CURRENT-- )); fi',
		'	shift words; (( CURRENT-- ))',
		'	case "$command" in',
		...commands.flatMap((command) => [
			`	${zshQuote(command.name)}) _arguments \\`,
			...optionsOf(command).map((option) => `		${zshQuote(zshOption(option))} \\`),
			`		${zshQuote(zshRest(command))};;`,
		]),
		'	esac',
		'}',
		'_curvegate "$@"',
		'',
	].join('\n')
}

function zshWord(first: string, commands: readonly Command[]): string {
	const own = commands.find(({ name }) => name === first)
	const group = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
	const summary = first === 'help' ? 'explains a command' : own?.summary ?? group.join(', ')
	return `${first}:${summary}`
}

function zshOption(option: Option): string {
	const { name, value, many, summary, choices } = option
	const text = summary.replace(/[[\]\\:]/g, '\\$&')
	const action = choices === undefined ? ZSH_ACTIONS[kindOf(option)] : `(${choices.join(' ')})`
	const argument = value === undefined ? '' : `:${value.replaceAll(':', '\\:')}:${action}`
	return `${many === true ? '*' : ''}--${name}[${text}]${argument}`
}

function zshRest(command: Command): string {
	if (takesFolder(command)) return '*:folder:_files -/'
	return takesFile(command) ? '*:file:_files' : '*: :'
}

function zshQuote(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`
}

export function fishCompletion(commands: readonly Command[]): string {
	const tree = wordTree(commands)
	return [
		'# fish completion of curvegate; made from its command table',
		'function __curvegate_is',
		'	set -l words (commandline -opc)',
		'	test "$words[2..]" = "$argv"; and return 0',
		'	string match -q -- "$argv *" "$words[2..]"',
		'end',
		'complete -c curvegate -f',
		'complete -c curvegate -n __fish_use_subcommand -l version -d "prints the version"',
		'complete -c curvegate -n __fish_use_subcommand -l help -d "lists the commands"',
		...[...tree.keys()].map((first) => {
			const [word, ...text] = zshWord(first, commands).split(':')
			return `complete -c curvegate -n __fish_use_subcommand -a ${word} `
				+ `-d ${fishQuote(text.join(':'))}`
		}),
		...[...tree].flatMap(([first, seconds]) => seconds.map((second) => {
			const { summary } = commands.find(({ name }) => name === `${first} ${second}`)!
			const when = `test (count (commandline -opc)) = 2; and __curvegate_is ${first}`
			return `complete -c curvegate -n ${fishQuote(when)} -a ${second} -d ${fishQuote(summary)}`
		})),
		...commands.flatMap(fishCommand),
		'',
	].join('\n')
}

const FISH_OFFERS: Readonly<Record<Kind, string>> = {
	none: '-x', file: '-r -F', folder: "-x -a '(__fish_complete_directories)'",
	interface: "-x -a '(ls /sys/class/net)'", user: "-x -a '(__fish_complete_users)'",
	program: "-x -a '(__fish_complete_command)'",
}

function fishCommand(command: Command): string[] {
	const when = fishQuote(`__curvegate_is ${command.name}`)
	const start = `complete -c curvegate -n ${when}`
	const rest = takesFolder(command) ? [`${start} -a '(__fish_complete_directories)'`]
		: takesFile(command) ? [`${start} -F`] : []
	return [...rest, ...optionsOf(command).map((option) => {
		const { name, value, summary, choices } = option
		const offer = value === undefined ? '' : choices === undefined ? FISH_OFFERS[kindOf(option)]
			: `-x -a '${choices.join(' ')}'`
		return [start, `-l ${name}`, offer, `-d ${fishQuote(summary)}`].filter(Boolean).join(' ')
	})]
}

function fishQuote(text: string): string {
	return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
