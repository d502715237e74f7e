// What the gateway must know of this machine: interfaces, addresses that nothing is forwarded to,
// sysctls.

import { readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import type { Bytes } from '../base/bytes.ts'
import { parseIpv4, parseIpv6, type Prefix4 } from '../wire/ip.ts'
import { Trouble, troubleOf } from './trouble.ts'

export interface Interface {
	readonly name: string
	readonly mac: string
	/** Its first IPv4 address; undefined: it has none. */
	readonly address: number | undefined
}

export function findInterface(name: string): Interface {
	// An interface without an address is not in Node's list, but in the kernel's.
	const entries = os.networkInterfaces()[name]
	const mac = entries?.[0]?.mac ?? macOf(name)
	if (mac === undefined) {
		const known = Object.keys(os.networkInterfaces()).join(', ')
		throw new Trouble('find', `interface ${name}`, `there are: ${known}`, 'ENODEV')
	}
	const first = entries?.find(({ family }) => family === 'IPv4')
	return { name, mac, address: first === undefined ? undefined : parseIpv4(first.address) }
}

/** IPv4 networks that the kernel reaches over the interface without a router. */
export function networksOf(ifname: string): Prefix4[] {
	let table: string
	try {
		table = readFileSync('/proc/net/route', 'latin1')
	} catch {
		return []
	}
	// Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses in the machine's order.
	return table.split('\n').flatMap((line): Prefix4[] => {
		const [name, base = '', gateway = '', , , , , mask = ''] = line.split('\t')
		if (name?.trim() !== ifname || Number(gateway) !== 0 || Number(`0x${mask}`) === 0) return []
		return [{ base: swapped(base), bits: Math.clz32(~swapped(mask)) }]
	})
}

function swapped(hex: string): number {
	const view = new DataView(new ArrayBuffer(4))
	view.setUint32(0, parseInt(hex, 16), os.endianness() === 'LE')
	return view.getUint32(0)
}

/** What the interface has received, from the kernel's own count; undefined: it is gone. */
export function receivedPackets(ifname: string): number | undefined {
	try {
		return Number(readFileSync(`/sys/class/net/${ifname}/statistics/rx_packets`, 'latin1'))
	} catch {
		return undefined
	}
}

export function mtuOf(ifname: string): number {
	try {
		return Number(readFileSync(`/sys/class/net/${ifname}/mtu`, 'latin1'))
	} catch {
		return 0
	}
}

function macOf(name: string): string | undefined {
	if (!/^[^/\s]{1,15}$/.test(name)) return undefined
	try {
		return readFileSync(`/sys/class/net/${name}/address`, 'utf8').trim()
	} catch {
		return undefined
	}
}

export interface OwnAddresses {
	readonly v4: readonly number[]
	readonly v6: readonly Bytes[]
}

/** Every address of this machine, and its networks' own and broadcast addresses. */
export function ownAddresses(): OwnAddresses {
	const v4: number[] = []
	const v6: Bytes[] = []
	for (const entry of Object.values(os.networkInterfaces()).flatMap((list) => list ?? [])) {
		if (entry.family === 'IPv6') {
			const address = parseIpv6(entry.address.split('%')[0]!)
			if (address !== undefined) v6.push(address)
			continue
		}
		const address = parseIpv4(entry.address)
		const mask = parseIpv4(entry.netmask)
		if (address === undefined || mask === undefined) continue
		v4.push(address)
		const host = ~mask >>> 0
		// A network of one or two addresses has neither of the two.
		if (host > 1) v4.push((address & mask) >>> 0, ((address & mask) | host) >>> 0)
	}
	return { v4, v6 }
}

/** What a gateway's work rests on and others change meanwhile. Node tells of no changes: look. */
export interface Surroundings {
	readonly own: OwnAddresses
	/** That of the wan interface; undefined: it has none at present. */
	readonly address: number | undefined
	/** Interfaces that are not there at present. */
	readonly gone: readonly string[]
	/** The same text: the same addresses. */
	readonly addresses: string
	/** The same text: the same interfaces. */
	readonly links: string
	/** The same text: they reach the same without a router, with packets of the same length. */
	readonly reach: string
}

export function surroundingsOf(wan: string, lan: string): Surroundings {
	const own = ownAddresses()
	const gone = [...new Set([wan, lan])].filter((name) => linkOf(name) === '')
	const near = networksOf(lan).map(({ base, bits }) => `${base}/${bits}`).sort()
	return {
		own, gone, address: gone.includes(wan) ? undefined : findInterface(wan).address,
		addresses: [...own.v4, ...own.v6].map(String).sort().join(' '),
		links: [linkOf(wan), linkOf(lan)].join('; '),
		reach: [mtuOf(wan), mtuOf(lan), ...near].join('; '),
	}
}

/** An interface that went and came back is another, with another number; '': it is not there. */
function linkOf(name: string): string {
	try {
		return ['ifindex', 'address'].map((fact) =>
			readFileSync(`/sys/class/net/${name}/${fact}`, 'latin1').trim()).join(' ')
	} catch {
		return ''
	}
}

export function readSysctl(name: string): string | undefined {
	try {
		return readFileSync(sysctlPath(name), 'utf8').trim()
	} catch {
		return undefined
	}
}

export function writeSysctl(name: string, value: string): void {
	try {
		writeFileSync(sysctlPath(name), value)
	} catch (error) {
		throw troubleOf('set', `${name} = ${value}`, error)
	}
}

/** Dots separate, except inside an interface's name, which stands alone in its argument. */
function sysctlPath(name: string): string {
	const [, before, ifname, after] = /^(net\.ipv[46]\.conf)\.(.+)\.([a-z_]+)$/.exec(name) ?? []
	if (before !== undefined) return `/proc/sys/${before.replaceAll('.', '/')}/${ifname}/${after}`
	return `/proc/sys/${name.replaceAll('.', '/')}`
}
