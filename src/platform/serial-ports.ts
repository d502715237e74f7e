// The serial adapters of this machine, with who made them: from /sys and /dev/serial/by-id, without
// udev's tools, which small systems do not have.

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface SerialPortFact {
	readonly device: string
	/** As the adapter calls itself; empty when it says nothing. */
	readonly vendor: string
	readonly product: string
	/** The stable name under /dev/serial/by-id. */
	readonly byId: string | undefined
	/** Made for serial lines, not a modem or a printer that has one too. */
	readonly isAdapter: boolean
}

/** USB's numbers for those who make adapters: FTDI, Prolific, Silicon Labs, WCH, Raspberry Pi. */
const VENDORS = ['0403', '067b', '10c4', '1a86', '2e8a', '04d8', '0483']
/** From a tty to its USB device is never further. */
const LEVELS_MAX = 6

/** What hangs on USB; built-in ones are named by whoever means them. root: for tests. */
export function listPorts(root = '/'): SerialPortFact[] {
	const folder = join(root, 'sys/class/tty')
	return namesIn(folder).filter((name) => /^tty(USB|ACM)\d+$/.test(name)).flatMap((name) => {
		const usb = usbOf(join(folder, name, 'device'))
		if (usb === undefined) return []
		return [{
			device: `/dev/${name}`,
			vendor: textOf(usb, 'manufacturer'), product: textOf(usb, 'product'),
			byId: idOf(root, name), isAdapter: VENDORS.includes(textOf(usb, 'idVendor')),
		}]
	})
}

/** The folder of the USB device above a tty. */
function usbOf(path: string): string | undefined {
	try {
		let folder = realpathSync(path)
		for (let i = 0; i < LEVELS_MAX; i++, folder = dirname(folder)) {
			if (textOf(folder, 'idVendor') !== '') return folder
		}
	} catch {
		// A tty without hardware.
	}
	return undefined
}

function idOf(root: string, name: string): string | undefined {
	const folder = join(root, 'dev/serial/by-id')
	const link = namesIn(folder).find((one) => {
		try {
			return basename(readlinkSync(join(folder, one))) === name
		} catch {
			return false
		}
	})
	return link === undefined ? undefined : `/dev/serial/by-id/${link}`
}

function namesIn(folder: string): string[] {
	try {
		return readdirSync(folder).sort()
	} catch {
		return []
	}
}

function textOf(folder: string, file: string): string {
	try {
		return readFileSync(join(folder, file), 'utf8').trim()
	} catch {
		return ''
	}
}
