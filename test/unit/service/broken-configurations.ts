// Configurations that are wrong, one mistake each where that can be had, as people make them.

const A = '000102030405060708090a0b0c0d0e0f'
const KEY = '0123456789abcdef'.repeat(4)

const SERVER = `schema = 1
keys = "/var/lib/curvegate/keys"
[[server]]
`
const NAMED = `${SERVER}[[server.name]]
name = "ssh.home.example"
service = "tcp:127.0.0.1:22"
`
const GATEWAY = `schema = 1
[gateway]
wan = "eth0"
address = "192.0.2.1"
`

function withName(lines: string): string {
	return `${SERVER}[[server.name]]\n${lines}\n`
}

function serverWith(line: string): string {
	return NAMED.replace('[[server]]\n', `[[server]]\n${line}\n`)
}

/** Title and text. The titles are those of the snapshot. */
export const BROKEN: readonly (readonly [title: string, text: string])[] = [
	// No TOML.
	['no quotes around an address', 'schema = 1\n[gateway]\naddress = 192.0.2.1\n'],
	['no quotes around a size', 'schema = 1\n[limits]\nmemory = 48M\n'],
	['yes instead of true', `${NAMED}clients = yes\n`],
	['a colon instead of an equals sign', 'schema: 1\n'],
	['two equals signs', 'schema == 1\n'],
	['no closing quote', `${SERVER}listen = "0.0.0.0:4000\n`],
	['no closing bracket of a list', `${NAMED}clients = ["${KEY}"\n`],
	['a table twice', `${NAMED}[limits]\nconnections = 1\n[limits]\nmemory = "1M"\n`],
	['a key twice', 'schema = 1\nboard = "host"\nboard = "rpi-4"\n'],
	['two values on a line', 'schema = 1 board = "host"\n'],
	['a backslash', 'schema = 1\nkeys = "C:\\keys"\n'],
	['single brackets around a repeated table', `${SERVER.replace('[[server]]', '[server]')}`],
	// Keys.
	['an empty file', ''],
	['no schema', 'board = "host"\n[gateway]\nwan = "eth0"\n'],
	['a newer schema', NAMED.replace('schema = 1', 'schema = 2')],
	['schema as a text', NAMED.replace('schema = 1', 'schema = "1"')],
	['nothing to run', 'schema = 1\nboard = "host"\n'],
	['an unknown key', NAMED.replace('keys =', 'key =')],
	['a key in another case', `${NAMED}[limits]\ndead_peer = "90s"\n`],
	['a key in the wrong table', `${SERVER}baud = 115200\n${NAMED.slice(SERVER.length)}`],
	['a key that nobody knows', `${NAMED}[limits]\nbandwidth = "1G"\n`],
	['an unknown table', `${NAMED}[logging]\nlevel = "info"\n`],
	['a misspelt key that must be there', withName('nmae = "a.example"\nservice = "echo"')],
	['a name without a service', withName('name = "a.example"')],
	['a server without a name', SERVER],
	['a server without keys', NAMED.replace(/^keys.*\n/m, '')],
	// Values.
	['an unknown board', NAMED.replace('schema = 1', 'schema = 1\nboard = "rpi4"')],
	['a profile that is only inherited', NAMED.replace('schema = 1', 'schema = 1\nboard = "linux"')],
	['a port alone as listen', `${SERVER}listen = 4000\n`],
	['no port in listen', `${SERVER}listen = "0.0.0.0"\n`],
	['a port that is too large', `${SERVER}listen = "0.0.0.0:40000000"\n`],
	['a DNS name as listen', `${SERVER}listen = "localhost:4000"\n`],
	['31 hexadecimal digits', `${SERVER}extension = "${A.slice(1)}"\n`],
	['the letter O among the digits', `${SERVER}extension = "${A.replace('0b', 'Ob')}"\n`],
	['a misspelt word as extension', `${SERVER}extension = "from_source"\n`],
	['a client key of 63 digits', `${NAMED}clients = ["${KEY}", "${KEY.slice(1)}"]\n`],
	['client keys as one text', `${NAMED}clients = "${KEY}"\n`],
	['an unknown service', withName('name = "a.example"\nservice = "tpc:127.0.0.1:22"')],
	['a service without a port', withName('name = "a.example"\nservice = "tcp:127.0.0.1"')],
	['a service with a pipe', withName('name = "a.example"\nservice = "exec:date | cat"')],
	['a service with an open quote', withName('name = "a.example"\nservice = "exec:echo \'a"')],
	['a label of 64 bytes', withName(`name = "${'a'.repeat(64)}.example"\nservice = "echo"`)],
	['a name of 300 bytes',
		withName(`name = "${`${'b'.repeat(59)}.`.repeat(5)}"\nservice = "echo"`)],
	['a size without a unit', `${NAMED}[limits]\nmemory = "48"\n`],
	['a duration as a number', `${NAMED}[limits]\nkeepalive = 20\n`],
	['a duration without a unit', `${NAMED}[limits]\nkeepalive = "20"\n`],
	['never where it has no meaning', `${NAMED}[limits]\nconnect = "never"\n`],
	['a misspelt log level', `${NAMED}[log]\nlevel = "wran"\n`],
	['an unknown datapath', `${GATEWAY}datapath = "nft"\n`],
	['an unknown extension source', `${NAMED}[extension]\nsource = "fiel:/etc/curvecpextension"\n`],
	['no connections at all', `${NAMED}[limits]\nconnections = 0\n`],
	// Values that contradict each other.
	['the same name twice',
		`${NAMED}[[server.name]]\nname = "ssh.home.example."\nservice = "echo"\n`],
	['the same extension twice', `${serverWith(`extension = "${A}"`)}`
		+ `[[server]]\nextension = "${A.toUpperCase()}"\n${NAMED.slice(SERVER.length)}`],
	['two servers and no extension', `${NAMED}${NAMED.slice(NAMED.indexOf('[[server]]'))}`],
	['two servers for any extension', `${serverWith('extension = "any"')}`
		+ `[[server]]\nextension = "any"\n${NAMED.slice(SERVER.length)}`],
	['all addresses and one of them', `${serverWith('listen = "0.0.0.0:4000"')}`
		+ `[[server]]\nlisten = "127.0.0.1:4000"\n${NAMED.slice(SERVER.length)}`],
	['a console for anybody', withName('name = "a.example"\nservice = "console"')],
	['two consoles', `${withName(`name = "a.example"\nservice = "console"\nclients = ["${KEY}"]`)}`
		+ `[[server.name]]\nname = "b.example"\nservice = "console"\nclients = ["${KEY}"]\n`],
	['keepalive above dead-peer', `${NAMED}[limits]\nkeepalive = "2m"\n`],
	['never asked, given up all the same', `${NAMED}keepalive = "never"\n`],
	['more connections than the memory holds',
		`${NAMED}[limits]\nconnections = 4096\nmemory = "48M"\n`],
	['more memory than the board has', NAMED.replace('schema = 1', 'schema = 1\nboard = "rpi-4"')
		+ '[limits]\nmemory = "900M"\n'],
	['a console without a device', `${NAMED}[console]\nbaud = 115200\n`],
	// Gateway.
	['a route to loopback',
		`${GATEWAY}[[gateway.route]]\nextension = "${A}"\ntarget = "127.0.0.1:4001"\n`],
	['a route to the gateway itself',
		`${GATEWAY}[[gateway.route]]\nextension = "${A}"\ntarget = "192.0.2.1"\n`],
	['a route twice', `${GATEWAY}[[gateway.route]]\nextension = "${A}"\ntarget = "10.77.0.2"\n`
		+ `[[gateway.route]]\nextension = "${A}"\ntarget = "10.77.0.3"\n`],
	['more routes than the limit', `${GATEWAY}[[gateway.route]]\nextension = "${A}"\n`
		+ `target = "10.77.0.2"\n[[gateway.route]]\nextension = "${'f'.repeat(32)}"\n`
		+ 'target = "10.77.0.3"\n[limits]\nroutes = 1\n'],
	['a route to a name', `${GATEWAY}[[gateway.route]]\nextension = "${A}"\ntarget = "pi.lan"\n`],
	['an IPv6 target without a prefix',
		`${GATEWAY}[[gateway.route]]\nextension = "${A}"\ntarget = "[2001:db8::2]"\n`],
	['a route that a server of the file has', `${GATEWAY}[[gateway.route]]\nextension = "${A}"\n`
		+ `target = "10.77.0.2"\n[[server]]\nkeys = "keys"\nextension = "${A}"\n`
		+ NAMED.slice(SERVER.length)],
	['a fence of the wrong form',
		`${GATEWAY}[gateway.encoded]\nallow = ["10.77.0.1/24"]\nports = [4000]\n`],
	['a fence around loopback',
		`${GATEWAY}[gateway.encoded]\nallow = ["127.0.0.0/8"]\nports = [4000]\n`],
	['a fence around nothing', `${GATEWAY}[gateway.encoded]\nallow = []\nports = [4000]\n`],
	['no fence', `${GATEWAY}[gateway.encoded]\nports = [4000]\nseal-keys = "seal"\n`],
	['ports as a text', `${GATEWAY}ports = "4000"\n`],
	// Several at once.
	['five mistakes in one file', `schema = 1
[[server]]
listen = "4000"
keys = ""
[[server.name]]
name = "a.example"
service = "http:127.0.0.1:80"
clients = ["abc"]
[limits]
memory = "a lot"
`],
]
