// A board profile as it is written in boards/NAME.toml, once its parents are merged into it. Data
// for the program, for the image builder and for people; spec: product.md 7, firmware.md

import * as v from 'valibot'
import {
	CONSOLE_DRIVERS, DATAPATHS, limitEntries, LOG_LEVELS,
} from './config-schema.ts'
import { choice, flag, fraction, list, Tables, text, whole } from './toml-schema.ts'
import {
	listen, networkInterface, optional, path, ram, size, source, wordList, words,
} from './toml-values.ts'

const tables = new Tables()

const NAME = 'the name of a board profile: small letters, digits and dashes'

export const STATUS_LEVELS = ['supported', 'experimental', 'unsupported'] as const

/** What belongs to one board alone: its children say their own. */
export const OWN_KEYS = ['title', 'inherits', 'abstract', 'status', 'tested'] as const

/** The largest part of the machine's memory that the process may need. */
const limits = { ...limitEntries, 'ram-share': fraction(0.05, 0.95) }

const image = tables.table('[image]', {
	'suite': words,
	'kernel-package': words,
	'bootloader': choice(['u-boot', 'tryboot']),
	'bootloader-package': optional(words),
	'bootloader-file': optional(words),
	'firmware-packages': optional(wordList),
	'firmware-files': optional(wordList),
	'root-firmware': optional(wordList),
	'config-txt': optional(wordList),
	'wan': optional(networkInterface),
	'dtbs': optional(wordList),
	'modules': wordList,
	'root-modules': wordList,
	'command-line': wordList,
	'partition-table': choice(['gpt', 'mbr']),
	'first-size': size,
	'boot-size': size,
	'root-size': size,
	'data-size': size,
	'removable': flag(),
})

const qemu = tables.table('[qemu]', {
	machine: words,
	cpu: optional(words),
	memory: size,
	testable: wordList,
})

export const profileSchema = tables.table('the profile', {
	schema: v.literal(1, 'expected 1, the version of the profile\'s form'),
	inherits: optional(text(NAME, (given) => given)),
	abstract: optional(flag()),
	title: words,
	status: tables.table('[status]', { level: choice(STATUS_LEVELS), reason: words }, {
		level: 'level = "supported", "experimental" or "unsupported"',
		reason: 'why, in one sentence',
	}),
	tested: optional(list(tables.table('[[tested]]', { what: words, where: words }, {
		what: 'what was tried', where: 'on which machine or emulator',
	}), 'tables headed [[tested]], with double brackets')),
	hardware: tables.table('[hardware]', {
		'arch': choice(['any', 'arm64', 'arm', 'x64', 'riscv64']),
		'ram': ram,
		'cores': optional(whole(1, 1024)),
		'compatible': optional(wordList),
	}, { ram: 'the memory of the smallest model, as ram = "512M"', arch: 'as arch = "arm64"' }),
	server: tables.table('[server]', { listen, keys: optional(path) }),
	network: tables.table('[network]', {
		wan: optional(networkInterface), lan: optional(networkInterface),
	}),
	extension: tables.table('[extension]', { source }),
	gateway: tables.table('[gateway]', { datapath: choice(DATAPATHS) }),
	console: optional(tables.table('[console]', {
		device: path, baud: whole(50, 4_000_000), driver: choice(CONSOLE_DRIVERS),
	})),
	limits: tables.table('[limits]', limits),
	log: tables.table('[log]', {
		level: choice(LOG_LEVELS), format: choice(['text', 'json']),
	}),
	node: optional(tables.table('[node]', { version: optional(words), flags: wordList })),
	watchdog: optional(tables.table('[watchdog]', { device: path, seconds: whole(1, 3600) })),
	image: optional(image),
	qemu: optional(qemu),
})

export type Profile = v.InferOutput<typeof profileSchema>
