// Network namespaces of a test: boxes joined by segments (a bridge each). Names carry this
// process's id; everything goes with the test, and what a killed run left goes with the next.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { start, type Owner, type Started } from './processes.ts'

const PREFIX = 'cg'
/** Without the packages' own programs: one of them is called nft, and is not the kernel's. */
const PATH = `${(process.env['PATH'] ?? '').split(':').filter((folder) =>
	!folder.includes('node_modules')).join(':')}:/usr/sbin:/sbin`
const ENV = { ...process.env, PATH }
let made = 0

export class Box {
	/** The namespace's name. */
	readonly ns: string

	constructor(ns: string) {
		this.ns = ns
	}

	run(command: string, ...args: readonly string[]): string {
		return execFileSync('ip', ['netns', 'exec', this.ns, command, ...args], {
			encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28, env: ENV,
		})
	}

	/** Its exit code, and no exception. */
	try(command: string, ...args: readonly string[]): number | null {
		const words = ['netns', 'exec', this.ns, command, ...args]
		return spawnSync('ip', words, { stdio: 'ignore', env: ENV }).status
	}

	ip(line: string): void {
		this.run('ip', ...line.split(' '))
	}

	sysctl(name: string, value: string): void {
		this.run('sh', '-c', `echo ${value} > /proc/sys/${name.replaceAll('.', '/')}`)
	}

	start(owner: Owner, command: string, args: readonly string[]): Started {
		return start(owner, 'ip', ['netns', 'exec', this.ns, command, ...args], { env: { PATH } })
	}

	/** When somebody in here has bound the UDP port. */
	async untilBound(process: Started, port: number): Promise<void> {
		const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
		await process.until(() => this.run('cat', '/proc/net/udp', '/proc/net/udp6').split('\n')
			.some((line) => line.trim().split(/\s+/)[1]?.endsWith(end) === true), `UDP port ${port}`)
	}

	mac(ifname: string): string {
		return this.run('cat', `/sys/class/net/${ifname}/address`).trim()
	}
}

export class Network {
	readonly #id: string
	readonly #owner: Owner
	#links = 0

	constructor(owner: Owner) {
		sweep()
		this.#id = `${PREFIX}${process.pid}x${threadId}x${made++}`
		this.#owner = owner
	}

	box(name: string): Box {
		const ns = `${this.#id}${name}`
		execFileSync('ip', ['netns', 'add', ns])
		this.#owner.teardown(() => void spawnSync('ip', ['netns', 'del', ns]))
		const box = new Box(ns)
		box.ip('link set lo up')
		// Without duplicate address detection, which keeps IPv6 silent for its first seconds.
		for (const name of ['all', 'default']) box.sysctl(`net.ipv6.conf.${name}.accept_dad`, '0')
		return box
	}

	/** A box that is one Ethernet. */
	segment(name: string): Box {
		const box = this.box(name)
		box.ip('link add br0 type bridge')
		box.ip('link set br0 up')
		// An Ethernet is no firewall: what crosses it is not shown to anybody's rules.
		box.try('sh', '-c', 'echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables')
		return box
	}

	/** An interface of the box on a segment, with these addresses. */
	join(box: Box, ifname: string, segment: Box, ...addresses: readonly string[]): void {
		const far = `p${this.#links++}`
		execFileSync('ip', ['link', 'add', ifname, 'netns', box.ns, 'type', 'veth', 'peer', 'name', far,
			'netns', segment.ns])
		segment.ip(`link set ${far} master br0 up`)
		for (const address of addresses) {
			box.ip(`addr add ${address} dev ${ifname}${address.includes(':') ? ' nodad' : ''}`)
		}
		box.ip(`link set ${ifname} up`)
	}
}

/** Namespaces of runs whose process is gone. */
function sweep(): void {
	if (!existsSync('/run/netns')) return
	for (const name of readdirSync('/run/netns')) {
		const pid = new RegExp(`^${PREFIX}(\\d+)x\\d+`).exec(name)?.[1]
		if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'del', name])
	}
}
