// Every command of curvegate, in the order of the help. A new one is an entry here and a file.

import type { Command, Option } from './command.ts'

const JSON_OPTION: Option = { name: 'json', summary: 'prints one JSON object' }

const BOARDS_OPTION: Option = { name: 'boards', value: 'DIR',
	summary: 'folder of board profiles that is searched first' }

const BOARD_OPTION: Option = { name: 'board', value: 'NAME',
	summary: 'this board profile instead of the file\'s' }

const OUTSIDE_OPTION: Option = { name: 'from-outside', value: 'HELPER', many: true,
	summary: 'asks this second host, which serves exec:curvegate ping --json --timeout 5 -, '
		+ 'whether it reaches ADDRESS and where it sees us come from' }

/** What every command takes that connects to a server. */
const CLIENT_OPTIONS: readonly Option[] = [
	{ name: 'keys', value: 'DIR', summary: 'our key directory; a fresh key each time when absent' },
	{ name: 'extension', value: 'HEX',
		summary: 'our own extension, 32 hexadecimal digits; from the board\'s source when absent' },
	{ name: 'board', value: 'NAME', summary: 'the board profile that says the source: host' },
	BOARDS_OPTION,
	{ name: 'bind', value: 'IP:PORT', summary: 'our own UDP address; any when absent' },
	{ name: 'timeout', value: 'SECONDS', summary: 'gives up when nobody answers, 60 when absent' },
]

const CONTROL_OPTION: Option = { name: 'control', value: 'PATH',
	summary: 'the control socket; in /run/curvegate or the like when absent' }

export const COMMANDS: readonly Command[] = [
	{
		name: 'keygen',
		takes: ['DIR'],
		summary: 'makes a long-term key directory, prints its public key',
		options: [JSON_OPTION],
		examples: ['curvegate keygen /var/lib/curvegate/keys'],
		load: () => import('./keygen.ts'),
	},
	{
		name: 'pubkey',
		takes: ['DIR'],
		summary: 'prints the public key of a key directory',
		options: [JSON_OPTION],
		load: () => import('./pubkey.ts'),
	},
	{
		name: 'server',
		takes: [],
		summary: 'serves names over CurveCP; without options, a page for newcomers',
		options: [
			{ name: 'config', value: 'FILE', summary: 'its [[server]]s; the flags go over it' },
			BOARD_OPTION,
			BOARDS_OPTION,
			{ name: 'keys', value: 'DIR',
				summary: 'the long-term key directory; .curvegate/keys, made when absent' },
			{ name: 'listen', value: 'IP:PORT', summary: 'the board\'s when absent: 127.0.0.1:4000' },
			{ name: 'extension', value: 'HEX|any',
				summary: '32 hexadecimal digits; from the board\'s source when absent, '
					+ 'usually /etc/curvecpextension' },
			{ name: 'serve', value: 'NAME=SERVICE', many: true,
				summary: 'a name and what it serves: tcp:HOST:PORT, unix:PATH, exec:COMMAND, '
					+ 'handler:COMMAND, echo, discard or welcome' },
			{ name: 'user', value: 'NAME', summary: 'becomes this user once the port is bound' },
			CONTROL_OPTION,
			{ name: 'plan', summary: 'prints the memory budget and ends' },
			JSON_OPTION,
		],
		examples: [
			'curvegate server --listen 0.0.0.0:4000 --serve ssh.example=tcp:127.0.0.1:22',
			'curvegate server --serve date.example=\'exec:date -u\'',
			'curvegate server --config /etc/curvegate/curvegate.toml',
		],
		load: () => import('./server.ts'),
	},
	{
		name: 'run',
		takes: [],
		summary: 'everything that a configuration declares, in one process',
		options: [
			{ name: 'config', value: 'FILE', summary: 'the configuration; SIGHUP reads it again' },
			{ name: 'firmware', summary: 'what the supervisor of a Curvegate image adds: first keys, '
				+ 'the owner\'s wishes, the network, signs of life' },
			BOARD_OPTION,
			BOARDS_OPTION,
			CONTROL_OPTION,
			JSON_OPTION,
		],
		examples: ['curvegate run --config /etc/curvegate/curvegate.toml'],
		load: () => import('./run.ts'),
	},
	{
		name: 'connect',
		takes: ['ADDRESS'],
		summary: 'connects stdin and stdout, TCP clients or a program to a server',
		options: [
			...CLIENT_OPTIONS,
			{ name: 'listen', value: 'IP:PORT',
				summary: 'each TCP connection accepted here becomes a connection to the server' },
			{ name: 'exec', value: 'PROG ARGS…', rest: true,
				summary: 'runs PROG, which reads the stream on descriptor 6 and writes it on 7' },
		],
		examples: [
			'ssh -o ProxyCommand="curvegate connect ADDRESS" pi',
			'curvegate connect ADDRESS --listen 127.0.0.1:8080',
		],
		load: () => import('./connect.ts'),
	},
	{
		name: 'ping',
		takes: ['ADDRESS'],
		summary: 'handshake and round-trip times of a server; ADDRESS - is read from stdin',
		options: [
			{ name: 'count', value: 'N', summary: 'round trips to measure, 4 when absent' },
			OUTSIDE_OPTION, ...CLIENT_OPTIONS, JSON_OPTION,
		],
		examples: [
			'curvegate ping \'curvecp://…\'',
			'curvegate ping \'curvecp://…\' --from-outside \'curvecp://…\'',
		],
		load: () => import('./ping.ts'),
	},
	{
		name: 'gateway',
		takes: [],
		summary: 'one public address and port in front of any number of servers',
		options: [
			{ name: 'config', value: 'FILE', summary: 'its [gateway]; the flags go over it' },
			BOARD_OPTION,
			BOARDS_OPTION,
			{ name: 'wan', value: 'IFACE', summary: 'the interface to the Internet' },
			{ name: 'lan', value: 'IFACE',
				summary: 'the interface to the servers; the same when absent' },
			{ name: 'address', value: 'IP',
				summary: 'the public address; that of the wan interface when absent' },
			{ name: 'port', value: 'N', many: true, summary: 'a public UDP port, 4000 when absent' },
			{ name: 'route', value: 'EXT=TARGET', many: true,
				summary: 'a server: ADDR, ADDR:PORT, :PORT, [IPV6], [IPV6]:PORT or '
					+ 'mac:aa:bb:cc:dd:ee:ff' },
			{ name: 'routes', value: 'FILE',
				summary: 'one "EXTENSION TARGET" a line; SIGHUP reads it again' },
			{ name: 'allow', value: 'PREFIX', many: true,
				summary: 'where extensions that carry an address may lead; none when absent' },
			{ name: 'allow-port', value: 'N', many: true,
				summary: 'to which ports; the public ones when absent' },
			{ name: 'seal-keys', value: 'DIR', summary: 'only sealed extensions carry an address' },
			{ name: 'datapath', value: 'NAME', summary: 'auto, nftables, packet, raw or relay',
				choices: ['auto', 'nftables', 'packet', 'raw', 'relay'] },
			CONTROL_OPTION,
			{ name: 'apply-sysctl', summary: 'turns net.ipv4.ip_forward on when it is needed' },
			{ name: 'dry-run', summary: 'prints the nftables ruleset and ends' },
			JSON_OPTION,
		],
		examples: [
			'curvegate gateway --wan eth0 --lan eth1 --routes /etc/curvegate/routes',
			'curvegate gateway --wan eth0 --routes /etc/curvegate/routes --dry-run',
		],
		load: () => import('./gateway.ts'),
	},
	{
		name: 'seal new',
		takes: ['DIR'],
		summary: 'makes the keys of sealed extensions',
		options: [JSON_OPTION],
		load: async () => ({ run: (await import('./seal.ts')).runNew }),
	},
	{
		name: 'seal rotate',
		takes: ['DIR'],
		summary: 'a new key for new extensions; those of the one before stay valid',
		options: [JSON_OPTION],
		load: async () => ({ run: (await import('./seal.ts')).runRotate }),
	},
	{
		name: 'seal revoke',
		takes: ['DIR'],
		summary: 'makes every extension of older keys invalid',
		options: [JSON_OPTION],
		load: async () => ({ run: (await import('./seal.ts')).runRevoke }),
	},
	{
		name: 'address make',
		takes: [],
		summary: 'builds the address of a server, to give to its users',
		options: [
			{ name: 'config', value: 'FILE',
				summary: 'the server\'s: one address for each of its names' },
			{ name: 'keys', value: 'DIR', summary: 'the server\'s key directory' },
			{ name: 'key', value: 'HEX', summary: 'its public key, where its directory is elsewhere' },
			{ name: 'host', value: 'HOST', many: true,
				summary: 'IPv4 address or DNS name; several are backup servers' },
			{ name: 'port', value: 'PORT', summary: 'UDP port, 4000 when absent' },
			{ name: 'name', value: 'NAME', summary: 'the server\'s name, the first HOST when absent' },
			{ name: 'extension', value: 'HEX', summary: '32 hexadecimal digits, zero when absent' },
			{ name: 'target', value: 'ADDR',
				summary: 'where a gateway finds the server: the extension carries it' },
			{ name: 'seal', value: 'DIR',
				summary: 'sealed with these keys, so that no two addresses look alike; those of '
					+ '[gateway.encoded] when absent' },
			{ name: 'allow', value: 'PREFIX', many: true,
				summary: 'the gateway\'s, all and in its order; those of [gateway.encoded] when absent' },
			BOARDS_OPTION, JSON_OPTION,
		],
		examples: [
			'curvegate address make --keys keys --host home.example --name ssh.home.example',
			'curvegate address make --config curvegate.toml --host home.example',
		],
		load: () => import('./address-make.ts'),
	},
	{
		name: 'address show',
		takes: ['ADDRESS'],
		summary: 'explains an address; DNS records, ssh and curl lines to paste',
		options: [JSON_OPTION],
		load: () => import('./address-show.ts'),
	},
	{
		name: 'address qr',
		takes: ['ADDRESS'],
		summary: 'draws an address for a telephone to read',
		options: [{ name: 'invert', summary: 'for a terminal with dark letters on light ground' }],
		load: () => import('./address-qr.ts'),
	},
	{
		name: 'status',
		takes: [],
		summary: 'what the running processes do: connections, routes, drops, rates, memory',
		options: [
			{ name: 'watch', summary: 'goes on, as a screen in a terminal; q leaves it' },
			{ name: 'interval', value: 'SECONDS', summary: 'of --watch, 1 when absent' },
			{ name: 'control', value: 'PATH',
				summary: 'this control socket; every one of this user when absent' },
			JSON_OPTION,
		],
		examples: ['curvegate status --watch', 'curvegate status --json'],
		load: () => import('./status.ts'),
	},
	{
		name: 'console',
		takes: ['[DEVICE]'],
		summary: 'the console of a board, over a serial line or at a curvecp:// address',
		options: [
			{ name: 'baud', value: 'N', summary: 'the speed; found by trying when absent' },
			{ name: 'list', summary: 'lists the serial adapters of this machine, and ends' },
			{ name: 'ask', value: 'REQUEST',
				summary: 'one command, or one request as JSON; prints the answer as JSON' },
			{ name: 'password-file', value: 'FILE', summary: 'logs in before --ask' },
			{ name: 'hash-password', summary: 'makes the line for [console] from a password on stdin' },
			...CLIENT_OPTIONS, JSON_OPTION,
		],
		examples: [
			'curvegate console',
			'curvegate console /dev/ttyUSB0 --ask status',
			'curvegate console \'curvecp://…\' --keys ~/.curvegate/keys',
		],
		load: () => import('./console.ts'),
	},
	{
		name: 'doctor',
		takes: ['[ADDRESS]'],
		summary: 'looks for the usual troubles of this machine, with a line of cure for each',
		options: [
			{ name: 'config', value: 'FILE', summary: 'what is to run here; the default when absent' },
			{ name: 'board', value: 'NAME', summary: 'this board profile instead of the file\'s' },
			BOARDS_OPTION, OUTSIDE_OPTION,
			{ name: 'keys', value: 'DIR', summary: 'our key directory, where HELPER admits us by it' },
			JSON_OPTION,
		],
		examples: [
			'curvegate doctor --config /etc/curvegate/curvegate.toml',
			'curvegate doctor \'curvecp://…\'',
		],
		load: () => import('./doctor.ts'),
	},
	{
		name: 'update',
		takes: ['FILE'],
		summary: 'installs a signed update on this device: tried once, kept when the service answers',
		options: [
			{ name: 'older', summary: 'also one that is older than what runs' },
			{ name: 'reboot', summary: 'tries it at once' },
			{ name: 'dry-run', summary: 'checks all of it, and writes nothing' },
			{ name: 'device', value: 'FILE',
				summary: 'what the image says of itself; /run/curvegate/slots.json when absent' },
			{ name: 'key', value: 'FILE',
				summary: 'whose updates are trusted; /etc/curvegate/update.pub when absent' },
			JSON_OPTION,
		],
		examples: ['curvegate update rpi-4.update', 'ssh box curvegate update - <rpi-4.update'],
		load: () => import('./update.ts'),
	},
	{
		name: 'check',
		takes: [],
		summary: 'says everything that is wrong with a configuration, or what it comes to',
		options: [
			{ name: 'config', value: 'FILE', summary: 'the configuration' },
			BOARD_OPTION,
			BOARDS_OPTION,
			JSON_OPTION,
		],
		examples: ['curvegate check --config /etc/curvegate/curvegate.toml'],
		load: () => import('./check.ts'),
	},
	{
		name: 'boards show',
		takes: ['NAME'],
		summary: 'a board profile: each value, who said it and why, and the memory budget',
		options: [BOARDS_OPTION, JSON_OPTION],
		examples: ['curvegate boards show rpi-4'],
		load: () => import('./boards-show.ts'),
	},
	{
		name: 'boards',
		takes: [],
		summary: 'lists the board profiles',
		options: [BOARDS_OPTION, JSON_OPTION],
		load: () => import('./boards.ts'),
	},
]
