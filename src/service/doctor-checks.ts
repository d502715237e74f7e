// The doctor's judgement: each check makes findings from facts, and touches nothing. Trouble keeps
// something from working and has a line of cure; a note is good to know.

import { Trouble } from '../platform/trouble.ts'
import { holderText } from '../platform/device-holder.ts'
import { addressOf } from '../platform/udp.ts'
import { HELPER_SERVICE, natOf } from './outside.ts'
import type { Facts, ListenFact, PublishedFact, StorageFact } from './doctor-facts.ts'

export interface Finding {
	readonly check: string
	readonly state: 'fine' | 'note' | 'trouble'
	readonly message: string
	/** What to do; null: nothing. */
	readonly cure: string | null
}

type Check = (facts: Facts) => readonly Omit<Finding, 'check'>[]

const CAP_NET_BIND_SERVICE = 10
const CAP_NET_ADMIN = 12
const CAP_NET_RAW = 13
/** Before this nobody has run us: the clock was never set. */
const FIRST_DAY = Date.UTC(2024, 0, 1)
const WORN = 0.9

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
	['configuration', ({ world }) => world.map((message) => trouble(message,
		'curvegate check --config FILE says where it stands'))],
	['port', (facts) => facts.listens.flatMap((listen) => portFindings(listen, facts))],
	['buffers', checkBuffers],
	['libraries', ({ missing }) => missing.length === 0 ? [fine('the fast path is complete')]
		: missing.map((what) => note(what, 'npm install koffi; apt-get install libsodium23'))],
	['capabilities', checkCapabilities],
	['forwarding', checkForwarding],
	['nft', checkNft],
	['board', ({ boardMismatch }) => boardMismatch === undefined ? []
		: [trouble(boardMismatch, 'curvegate boards lists the profiles')]],
	['clock', ({ clock }) => clock >= FIRST_DAY ? [fine('the clock is set')]
		: [note('the clock was never set; harmless here: nothing of CurveCP depends on it', null)]],
	['extension', ({ extension }) => extension === undefined ? []
		: [extension.note === undefined ? fine(`it comes from ${extension.source}`)
			: note(`${extension.note}: zeros, or what was good last`,
				'behind a gateway, write the 16 bytes that it routes')]],
	['address', ({ published, addresses }) =>
		published.map((one) => checkPublished(one, addresses))],
	['outside', checkOutside],
	['nat', checkNat],
	['console', checkConsole],
	['storage', ({ storage }) => storage.map(checkStorage)],
	['voltage', checkVoltage],
]

export function examine(facts: Facts): Finding[] {
	return CHECKS.flatMap(([name, check]) =>
		check(facts).map((finding) => ({ check: name, ...finding })))
}

function fine(message: string): Omit<Finding, 'check'> {
	return { state: 'fine', message, cure: null }
}

function note(message: string, cure: string | null): Omit<Finding, 'check'> {
	return { state: 'note', message, cure }
}

function trouble(message: string, cure: string): Omit<Finding, 'check'> {
	return { state: 'trouble', message, cure }
}

function portFindings(
	{ address, port, holder }: ListenFact, { capabilities, lowestFreePort }: Facts,
): Omit<Finding, 'check'>[] {
	const where = `${address}:${port}`
	if (holder === undefined) {
		const isAllowed = port >= lowestFreePort || capabilities.has(CAP_NET_BIND_SERVICE)
		return [isAllowed ? fine(`${where} is free`)
			: trouble(`${where}: this user may not bind ports below ${lowestFreePort}`,
				'start as root with user = "NAME", or setcap cap_net_bind_service=ep on node')]
	}
	if (/curvegate|curvecpserver/.test(holder.command)) {
		return [fine(`${where} is served by process ${holder.pid}, ${holder.command}`)]
	}
	return [holder.pid === 0
		? trouble(`${where} is held by a process of another user`,
			`sudo ss -lunp 'sport = :${port}' says which; or listen on another port`)
		: trouble(`${where} is held by process ${holder.pid}, ${holder.command}`,
			'end it, or listen on another port')]
}

function checkBuffers({ buffers, capabilities }: Facts): Omit<Finding, 'check'>[] {
	const { wanted, receive, send } = buffers
	if (capabilities.has(CAP_NET_ADMIN)) return [fine(`${wanted} bytes, whatever the sysctls say`)]
	const low = [['net.core.rmem_max', receive], ['net.core.wmem_max', send]] as const
	const found = low.filter(([, most]) => most < wanted)
	if (found.length === 0) return [fine(`${wanted} bytes are allowed`)]
	return found.map(([name, most]) => trouble(
		`${name} is ${most}, the limits want ${wanted}: bursts are lost`,
		`sysctl -w ${name}=${wanted}, and the same in /etc/sysctl.d/curvegate.conf`))
}

function checkCapabilities({ gateway, capabilities }: Facts): Omit<Finding, 'check'>[] {
	if (gateway === undefined) return []
	const lacking = [[CAP_NET_ADMIN, 'CAP_NET_ADMIN'], [CAP_NET_RAW, 'CAP_NET_RAW']] as const
	const names = lacking.filter(([number]) => !capabilities.has(number)).map(([, name]) => name)
	if (names.length === 0) return [fine('rules and raw sockets are allowed')]
	const message = `this user has no ${names.join(', ')}: only the slow relay works`
	const cure = 'start as root with user = "NAME", or AmbientCapabilities= in the unit'
	return [gateway.datapath === 'relay' ? note(message, null) : trouble(message, cure)]
}

function checkForwarding({ gateway }: Facts): Omit<Finding, 'check'>[] {
	if (gateway === undefined || !usesNft(gateway.datapath)) return []
	if (gateway.ipForward === '1') return [fine('the kernel forwards')]
	return [trouble('net.ipv4.ip_forward is off: the nftables datapath cannot be used',
		'sysctl -w net.ipv4.ip_forward=1, or curvegate gateway --apply-sysctl')]
}

function checkNft({ gateway }: Facts): Omit<Finding, 'check'>[] {
	if (gateway === undefined || !usesNft(gateway.datapath)) return []
	if (gateway.nftMissing === undefined) return [fine('nft works')]
	return [trouble(`nft cannot be used: ${gateway.nftMissing}`,
		'apt-get install nftables, and start as root')]
}

function usesNft(datapath: string): boolean {
	return datapath === 'auto' || datapath === 'nftables'
}

function checkPublished(
	{ host, port, found }: PublishedFact, addresses: readonly string[],
): Omit<Finding, 'check'> {
	if (typeof found === 'string') {
		return trouble(`${host} is not found: ${found}`, `an A record for ${host}, or an address`)
	}
	const text = found.join(', ')
	const foreign = found.filter((one) => !addresses.includes(one))
	if (foreign.length === 0) return fine(`${host} is this machine, ${text}`)
	const [own] = addresses.filter((one) => scopeOf(one) === 'private')
	if (own !== undefined && addresses.every((one) => scopeOf(one) !== 'public')) {
		return note(`${host} is ${text}, not this machine: the router, presumably`,
			`forward UDP port ${port} of the router to ${own}`)
	}
	return trouble(`${host} is ${text}, this machine has ${addresses.join(', ') || 'no address'}`,
		`an A record for ${host} with this machine's address`)
}

/** Whether others reach what is published, by the word of those who tried. */
function checkOutside({ outside, addresses, listens }: Facts): Omit<Finding, 'check'>[] {
	return outside.map((view) => {
		if (view instanceof Trouble) {
			return trouble(view.message, `there: curvegate server --serve 'outside=${HELPER_SERVICE}'`)
		}
		const { helper, found } = view
		if (!('cause' in found)) return fine(`${helper} reaches ${found.answered}`)
		const own = addresses[0] ?? 'this machine'
		const ports = [...new Set(listens.map(({ port }) => port))].join(', ')
		return trouble(`${helper} does not reach it: ${found.cause}`,
			`start the server; let UDP ${ports} through, or forward it on the router to ${own}`)
	})
}

function checkNat(facts: Facts): Omit<Finding, 'check'>[] {
	const views = facts.outside.flatMap((view) => view instanceof Trouble ? [] : [view])
	const seen = natOf(views, facts.addresses)
	return seen === undefined ? guessNat(facts) : [fine(seen)]
}

/** What can be known without anybody outside. */
function guessNat({ addresses, listens }: Facts): Omit<Finding, 'check'>[] {
	if (listens.every(({ address }) => address.startsWith('127.'))) {
		return [note('the server listens on loopback: only this machine reaches it',
			'listen = "0.0.0.0:4000" for others')]
	}
	const scopes = addresses.map(scopeOf)
	if (scopes.includes('public')) return [fine('this machine has a public address: no NAT')]
	if (scopes.includes('carrier')) {
		return [trouble('the provider translates addresses (100.64.0.0/10): nobody outside gets in',
			'a gateway at a host with a public address, or a public address from the provider')]
	}
	const own = addresses.find((one) => scopeOf(one) === 'private')
	const ports = [...new Set(listens.map(({ port }) => port))].join(', ')
	return [own === undefined ? trouble('this machine has no IPv4 address', 'ip address; DHCP')
		: note(`behind NAT: this machine has ${own}`, `forward UDP ${ports} of the router to ${own}`)]
}

export function scopeOf(text: string): 'public' | 'private' | 'carrier' | 'other' {
	const address = addressOf(text) ?? 0
	const within = (prefix: number, bits: number): boolean =>
		address >>> (32 - bits) === prefix >>> (32 - bits)
	if (within(0x64400000, 10)) return 'carrier'
	if (within(0x0a000000, 8) || within(0xac100000, 12) || within(0xc0a80000, 16)) return 'private'
	if (within(0, 8) || within(0x7f000000, 8) || within(0xa9fe0000, 16) || address >= 0xe0000000) {
		return 'other'
	}
	return 'public'
}

function checkConsole({ console }: Facts): Omit<Finding, 'check'>[] {
	if (console === undefined) return []
	const { device, holder } = console
	if (holder === undefined) return [fine(`nobody else reads ${device}`)]
	const who = `${device} is read by ${holderText(holder)}`
	if (/curvegate/.test(holder.command)) return [fine(who)]
	return [trouble(who, holder.isGetty
		? `systemctl disable --now serial-getty@${device.replace(/^\/dev\//, '')}`
		: 'end it, or name another device in [console]')]
}

function checkStorage({ path, device, readOnly, errors, worn }: StorageFact)
	: Omit<Finding, 'check'> {
	if (errors > 0) {
		return trouble(`${device} has had ${errors} errors`, `copy ${path}, then replace the medium`)
	}
	if (worn !== undefined && worn >= WORN) {
		return trouble(`${device} is worn: ${Math.round(worn * 100)} % of its life is used`,
			`copy ${path}, then replace the medium`)
	}
	if (!readOnly) return fine(`${path} can be written`)
	return trouble(`${path} is on ${device}, which is read-only`,
		'mount -o remount,rw; dmesg says whether errors made it so')
}

function checkVoltage({ undervoltage }: Facts): Omit<Finding, 'check'>[] {
	if (undervoltage === undefined) return []
	const { now, before } = undervoltage
	if (!now && !before) return [fine('the supply is sufficient')]
	const when = now ? 'is' : 'was'
	return [trouble(`the supply ${when} too weak`, 'a stronger supply, a shorter cable')]
}
