// The configuration file as it is written: every table, every key, what is expected there. Nothing
// here compares two values; spec: product.md 6

import * as v from 'valibot'
import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { nearest } from '../base/nearest.ts'
import { parseFenceEntry, type FenceEntry } from '../gateway/fence.ts'
import { parseTarget, type Target } from '../gateway/target.ts'
import { ROUTES_MAX } from '../limits.ts'
import { addressOf } from '../platform/udp.ts'
import { parsePrefix6 } from '../wire/ip.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { nameFault } from './address-parts.ts'
import { readHash } from './password.ts'
import { isFault, readService, type ServiceSpec } from './spec.ts'
import { choice, found, list, Tables, text, whole } from './toml-schema.ts'
import {
	duration, durationOrNever, durationOrZero, hex, listen, networkInterface, optional, path, size,
	source,
} from './toml-values.ts'
import { Wrong } from './wrong.ts'

export const DATAPATHS = ['auto', 'nftables', 'packet', 'raw', 'relay'] as const
export const CONSOLE_DRIVERS = ['tty', 'serialport'] as const
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export const CONNECTIONS_LIMIT = 1_048_576

const schemaVersion = v.pipe(
	v.unknown(),
	v.check((value) => value === 1, ({ input }) => typeof input === 'number' && input > 1
		? `this curvegate reads version 1, the file is of version ${input}: update curvegate`
		: `expected 1, the version of the file's form; found ${found(input)}`),
)

const board = text('the name of a board profile', (given): string | Wrong =>
	/^[a-z0-9][a-z0-9-]*$/.test(given) ? given
		: new Wrong(`expected the name of a board profile, as "rpi-4"; found ${found(given)}`))

const USER = 'the name of a user of this machine'

const user = text(USER, (given): string | Wrong =>
	/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(given) ? given
		: new Wrong(`expected ${USER}; found ${found(given)}`))

const EXTENSION = 'expected 32 hexadecimal digits, "from-source" or "any"'

const serverExtension = text('32 hexadecimal digits, "from-source" or "any"',
	(given): Bytes | 'from-source' | 'any' | Wrong => {
		if (given === 'from-source' || given === 'any') return given
		const near = nearest(given, ['from-source', 'any'])
		if (near !== undefined) {
			return new Wrong(`${EXTENSION}; found ${found(given)}; did you mean "${near}"?`)
		}
		if (/^[0-9a-fA-F]/.test(given)) return hex(given, EXTENSION_BYTES)
		return new Wrong(`${EXTENSION}; found ${found(given)}`)
	})

const serverName = text('a server\'s name, as "ssh.home.example"', (given): string | Wrong => {
	const bytes = new TextEncoder().encode(given)
	if (bytes.every((byte) => byte === 0x2e)) {
		return new Wrong(`expected a server's name; found ${found(given)}`)
	}
	const fault = nameFault(bytes)
	if (fault === undefined) return given
	const before = new TextDecoder().decode(bytes.subarray(0, fault.at)).length
	return new Wrong(`expected ${fault.expected}`, before)
})

const CLIENT_KEY = 'a client\'s public key of 64 hexadecimal digits'

const clientKey = text(CLIENT_KEY, (given): string | Wrong => {
	const key = hex(given, 32)
	return key instanceof Wrong ? key : toHex(key)
})

const SERVICE = 'a service, as "tcp:127.0.0.1:22"; "exec:…", or the words of a program: '
	+ '["exec", "/bin/program", "argument"]'

const service = v.pipe(
	v.custom<string | string[]>((value) => typeof value === 'string'
		|| (Array.isArray(value) && value.every((word) => typeof word === 'string')),
	({ input }) => `expected ${SERVICE}; found ${found(input)}`),
	v.rawTransform<string | string[], ServiceSpec>(({ dataset, addIssue, NEVER }) => {
		const given = dataset.value
		if (given === 'console') return { kind: 'console' }
		const spec = readService(given)
		if (!isFault(spec)) return spec
		const inside = typeof given === 'string' ? spec.at - 1 : -1
		addIssue({ message: serviceFault(given, spec.message), input: new Wrong('', inside) })
		return NEVER
	}),
)

const FORMS = ['tcp:HOST:PORT', 'unix:PATH', 'exec:COMMAND', 'handler:COMMAND', 'console', 'echo',
	'discard', 'welcome']

function serviceFault(given: string | string[], message: string): string {
	const kinds = FORMS.map((form) => form.split(':')[0]!)
	const kind = typeof given === 'string' ? given.split(':')[0]! : kinds[0]!
	if (kinds.includes(kind)) return message
	const near = nearest(kind, kinds)
	const cure = near === undefined ? '' : `; did you mean '${near}'?`
	return `expected ${FORMS.join(', ')}; found ${found(given)}${cure}`
}

const target = text('ADDR, ADDR:PORT, :PORT, [IPV6], [IPV6]:PORT or mac:aa:bb:cc:dd:ee:ff',
	(given): Target | Wrong => {
		const parsed = parseTarget(given)
		return typeof parsed === 'string' ? new Wrong(parsed) : parsed
	})

const fenceEntry = text('a prefix, as "10.77.0.0/24"', (given): FenceEntry | Wrong => {
	const parsed = parseFenceEntry(given)
	return typeof parsed === 'string' ? new Wrong(parsed) : parsed
})

const routeExtension = text('32 hexadecimal digits', (given) => hex(given, EXTENSION_BYTES))

const ipv4 = text('an IPv4 address, as "192.0.2.1"', (given): number | Wrong =>
	addressOf(given) ?? new Wrong(`expected an IPv4 address, as "192.0.2.1"; found ${found(given)}`))

const clientsPrefix = text('an IPv6 prefix of 96 bits', (given): Bytes | Wrong => {
	const prefix = parsePrefix6(given)
	if (prefix?.bits === 96) return prefix.base.slice(0, 12)
	return new Wrong(`expected an IPv6 prefix of 96 bits, as "64:ff9b::/96"; found ${found(given)}`)
})

const ports = list(whole(1, 65_535), 'a list of UDP ports, as [4000]')

const PASSWORD = 'what curvegate console --hash-password prints, as "scrypt:14:8:1:…"'

const passwordHash = text(PASSWORD, (given): string | Wrong =>
	// Not shown: somebody may have written the password itself.
	readHash(given) !== undefined ? given : new Wrong(`expected ${PASSWORD}`))

const tables = new Tables()

const liveness = {
	'keepalive': optional(durationOrNever),
	'dead-peer': optional(durationOrNever),
	'idle': optional(durationOrNever),
}

const name = tables.table('[[server.name]]', {
	name: serverName,
	service,
	clients: optional(list(clientKey, 'a list of public keys, as ["…64 hexadecimal digits…"]')),
	...liveness,
}, {
	name: 'the name that clients ask for, as name = "ssh.home.example"',
	service: 'what clients of this name reach, as service = "tcp:127.0.0.1:22"',
})

const server = tables.table('[[server]]', {
	listen: optional(listen),
	keys: optional(path),
	extension: optional(serverExtension),
	name: optional(list(name, 'tables headed [[server.name]], with double brackets')),
})

const route = tables.table('[[gateway.route]]', { extension: routeExtension, target }, {
	extension: 'what leads there, as extension = "000102030405060708090a0b0c0d0e0f"',
	target: 'the server\'s local address, as target = "10.77.0.2"',
})

const encoded = tables.table('[gateway.encoded]', {
	'allow': list(fenceEntry, 'a list of prefixes, as ["10.77.0.0/24"]'),
	ports,
	'seal-keys': optional(path),
}, {
	allow: 'the prefixes that an extension may name, as allow = ["10.77.0.0/24"]',
	ports: 'the ports that it may name, as ports = [4000]',
})

/** Packets a second. */
const RATE_MAX = 1_000_000_000

const gateway = tables.table('[gateway]', {
	'wan': optional(networkInterface),
	'lan': optional(networkInterface),
	'address': optional(ipv4),
	'ports': optional(ports),
	'datapath': optional(choice(DATAPATHS)),
	'routes': optional(path),
	'clients-prefix': optional(clientsPrefix),
	'source-rate': optional(whole(1, RATE_MAX)),
	'target-rate': optional(whole(1, RATE_MAX)),
	'route': optional(list(route, 'tables headed [[gateway.route]], with double brackets')),
	'encoded': optional(encoded),
})

/** [limits] of a configuration, which has any of these, and of a board profile, which has all. */
export const limitEntries = {
	'connections': whole(1, CONNECTIONS_LIMIT),
	'memory': size,
	'programs': whole(1, 65_536),
	'routes': whole(1, ROUTES_MAX),
	'socket-buffer': size,
	'connect': duration,
	'drain': durationOrZero,
	'keepalive': durationOrNever,
	'dead-peer': durationOrNever,
	'idle': durationOrNever,
}

const ADDRESS = '"dhcp", or an address with its prefix as "192.0.2.5/24"'

/** As the file has it: the kernel's tools are given the same text. */
const networkAddress = text(ADDRESS, (given): string | Wrong => {
	const [ip = '', bits = '', ...more] = given.split('/')
	const fits = /^([1-9]|[12]\d|3[0-2])$/.test(bits) && more.length === 0
	return given === 'dhcp' || (fits && addressOf(ip) !== undefined) ? given
		: new Wrong(`expected ${ADDRESS}; found ${found(given)}`)
})

const IP = 'an IPv4 address, as "192.0.2.1"'

const ip = text(IP, (given): string | Wrong =>
	addressOf(given) === undefined ? new Wrong(`expected ${IP}; found ${found(given)}`) : given)

const HOST = 'a name of letters, digits and dashes, as "gate"'

const hostname = text(HOST, (given): string | Wrong =>
	/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(given) ? given
		: new Wrong(`expected ${HOST}; found ${found(given)}`))

export const configSchema = tables.table('the file', {
	schema: schemaVersion,
	board: optional(board),
	keys: optional(path),
	user: optional(user),
	control: optional(path),
	server: optional(list(server, 'tables headed [[server]], with double brackets')),
	extension: optional(tables.table('[extension]', { source: optional(source) })),
	gateway: optional(gateway),
	network: optional(tables.table('[network]', {
		interface: optional(networkInterface),
		address: optional(networkAddress),
		router: optional(ip),
		dns: optional(ip),
		hostname: optional(hostname),
	})),
	console: optional(tables.table('[console]', {
		device: optional(path),
		baud: optional(whole(50, 4_000_000)),
		driver: optional(choice(CONSOLE_DRIVERS)),
		password: optional(passwordHash),
		idle: optional(durationOrNever),
	})),
	limits: optional(v.partial(tables.table('[limits]', limitEntries))),
	log: optional(tables.table('[log]', {
		level: optional(choice(LOG_LEVELS)),
		format: optional(choice(['text', 'json'])),
	})),
	metrics: optional(tables.table('[metrics]', { listen }, {
		listen: 'where to ask for them, as listen = "127.0.0.1:9469"',
	})),
}, { schema: 'write schema = 1 at the top' })

export type RawConfig = v.InferOutput<typeof configSchema>
export type RawServer = NonNullable<RawConfig['server']>[number]
export type RawGateway = NonNullable<RawConfig['gateway']>
