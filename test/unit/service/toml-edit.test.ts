import test from 'ava'
import { parse, type TomlValue } from 'smol-toml'
import { editToml, type Edit } from '../../../src/service/toml-edit.ts'
import type { Path } from '../../../src/service/toml-schema.ts'
import { makeGenerator } from '../../support/generator.ts'

const FILE = `# My box, made in March.
schema = 1
board = "rpi-4"   # the one in the cellar

# Two servers.
[[server]]
listen = "0.0.0.0:4000"      # the router forwards it
[[server.name]]
name = "ssh.home.example"
service = "tcp:127.0.0.1:22"
clients = [
	"aa",   # Anna
	"bb",   # Ben
]

[[server]]
extension = "any"
[[server.name]]
name = "b.example"
service = "echo"

[limits]
# As much as it has.
memory = "48M"
`

interface Case {
	readonly edits: readonly Edit[]
	/** Lines that go, and lines that come. */
	readonly less: readonly string[]
	readonly more: readonly string[]
}

const CASES: Readonly<Record<string, Case>> = {
	'a value is replaced, its comment stays': {
		edits: [{ path: ['board'], value: 'rpi-3' }],
		less: ['board = "rpi-4"   # the one in the cellar'],
		more: ['board = "rpi-3"   # the one in the cellar'],
	},
	'a value in an item of tables': {
		edits: [{ path: ['server', 1, 'name', 0, 'service'], value: 'discard' }],
		less: ['service = "echo"'],
		more: ['service = "discard"'],
	},
	'a new key at the top': {
		edits: [{ path: ['keys'], value: '/k"e\ny\u007f' }],
		less: [],
		more: ['keys = "/k\\"e\\ny\\u007f"'],
	},
	'a new key in a table': {
		edits: [{ path: ['limits', 'dead-peer'], value: 'never' }],
		less: [],
		more: ['dead-peer = "never"'],
	},
	'a new key in an item, before the tables of the item': {
		edits: [{ path: ['server', 0, 'keys'], value: 'k' }],
		less: [],
		more: ['keys = "k"'],
	},
	'a new table': {
		edits: [{ path: ['log', 'level'], value: 'debug' }],
		less: [],
		more: ['', '[log]', 'level = "debug"'],
	},
	'a new table in a new table': {
		edits: [{ path: ['gateway', 'encoded', 'ports'], value: [4000, 4001] }],
		less: [],
		more: ['', '[gateway.encoded]', 'ports = [4000, 4001]'],
	},
	'a new server': {
		edits: [{
			path: ['server', 2],
			value: { listen: '0.0.0.0:5000', name: [{ name: 'c', service: 'echo' }] },
		}],
		less: [],
		more: ['', '', '[[server]]', 'listen = "0.0.0.0:5000"', '[[server.name]]', 'name = "c"',
			'service = "echo"'],
	},
	'a new name of the first server': {
		edits: [{ path: ['server', 0, 'name', 1], value: { name: 'c', service: ['exec', 'a b'] } }],
		less: [],
		more: ['', '[[server.name]]', 'name = "c"', 'service = ["exec", "a b"]'],
	},
	'a list is replaced as a whole': {
		edits: [{ path: ['server', 0, 'name', 0, 'clients'], value: [] }],
		less: ['clients = [', '\t"aa",   # Anna', '\t"bb",   # Ben', ']'],
		more: ['clients = []'],
	},
	'a key is removed with its comment': {
		edits: [{ path: ['server', 0, 'listen'], value: undefined }],
		less: ['listen = "0.0.0.0:4000"      # the router forwards it'],
		more: [],
	},
	'a server is removed with its names': {
		edits: [{ path: ['server', 1], value: undefined }],
		less: ['[[server]]', 'extension = "any"', '[[server.name]]', 'name = "b.example"',
			'service = "echo"'],
		more: [],
	},
	'a table is removed': {
		edits: [{ path: ['limits'], value: undefined }],
		less: ['[limits]', '# As much as it has.', 'memory = "48M"'],
		more: [],
	},
	'what is not there is removed already': {
		edits: [{ path: ['metrics'], value: undefined }],
		less: [],
		more: [],
	},
	'several at once': {
		edits: [
			{ path: ['server', 0, 'name', 0, 'service'], value: 'echo' },
			{ path: ['limits', 'connections'], value: 7 },
			{ path: ['limits', 'memory'], value: undefined },
		],
		less: ['service = "tcp:127.0.0.1:22"', 'memory = "48M"'],
		more: ['service = "echo"', 'connections = 7'],
	},
}

/** Lines of a that are not in b, counted. */
function missing(a: string, b: string): string[] {
	const left = b.split('\n')
	return a.split('\n').filter((line) => {
		const at = left.indexOf(line)
		if (at >= 0) left.splice(at, 1)
		return at < 0
	})
}

for (const [title, { edits, less, more }] of Object.entries(CASES)) {
	test(`only what was meant changes: ${title}`, (t) => {
		const edited = editToml(FILE, edits)
		t.deepEqual(missing(FILE, edited), less)
		t.deepEqual(missing(edited, FILE).sort(), [...more].sort())
	})
}

test('an empty file, CRLF, inline tables, dotted keys', (t) => {
	t.is(editToml('', [{ path: ['schema'], value: 1 }]), 'schema = 1\n')
	t.is(editToml('', [{ path: ['log', 'level'], value: 'warn' }]), '[log]\nlevel = "warn"\n')
	t.is(editToml('a = 1\r\n[b]\r\nc = 2 # x\r\n', [{ path: ['b', 'c'], value: 3 }]),
		'a = 1\r\n[b]\r\nc = 3 # x\r\n')
	t.is(editToml('log = { level = "info" } # x\n', [{ path: ['log', 'format'], value: 'json' }]),
		'log = { level = "info", format = "json" } # x\n')
	t.is(editToml('limits.memory = "1M" # x\n', [{ path: ['limits', 'connections'], value: 3 }]),
		'limits.memory = "1M" # x\nlimits.connections = 3\n')
	t.is(editToml('[b]\nc = 2', [{ path: ['a'], value: true }]), 'a = true\n[b]\nc = 2\n')
	t.is(editToml('[b]\n', [{ path: ['b', 'a'], value: 1 }]), '[b]\na = 1\n')
})

test('a thousand random changes keep every comment that they do not touch', (t) => {
	const seed = 20_260_804
	const { below } = makeGenerator(seed)
	const paths: readonly Path[] = [
		['board'], ['keys'], ['limits', 'memory'], ['limits', 'idle'], ['server', 0, 'listen'],
		['server', 0, 'name', 0, 'service'], ['server', 1, 'extension'], ['log', 'level'],
		['metrics', 'listen'], ['gateway', 'wan'], ['gateway', 'encoded', 'ports'],
	]
	const values: readonly (TomlValue | undefined)[] = [
		'x', 'tab\tand "quotes"', 7, [1, 2], undefined, [],
	]
	let text = FILE
	for (let i = 0; i < 1000; i++) {
		const edit = { path: paths[below(paths.length)]!, value: values[below(values.length)] }
		text = editToml(text, [edit])
		t.notThrows(() => parse(text), `seed ${seed}, step ${i}`)
		for (const kept of ['# My box, made in March.', '# Two servers.', '# Anna', '# As much']) {
			t.true(text.includes(kept), `seed ${seed}, step ${i}: ${kept}`)
		}
	}
})
