// Debian's U-Boot with another environment than the one that is compiled in, which is for a person
// at a keyboard: it waits two seconds for any byte, and on a serial line noise is one, asks the
// network for something to start, and stays at its prompt when it has found nothing.

import { Trouble } from '../../src/platform/trouble.ts'

/** Its first variables, which say where it lies. */
const BEGIN = '\0bootcmd=run distro_bootcmd\0bootdelay=2\0'
const NETWORK = ['pxe', 'dhcp']

/** As long as before. */
export function headless(uboot: Buffer): Buffer {
	const from = uboot.indexOf(BEGIN) + 1
	const end = uboot.indexOf('\0\0', from)
	if (from === 0 || end < 0 || uboot.includes(BEGIN, from)) {
		throw new Trouble('change', 'the boot loader', 'its default environment is not where it was')
	}
	const changed = uboot.toString('latin1', from, end).split('\0').flatMap(changedVariable)
	const result = Buffer.from(uboot)
	result.fill(0, from, end)
	const length = result.write(changed.join('\0'), from, 'latin1')
	// What was dropped has made room for what was added.
	if (from + length <= end) return result
	throw new Trouble('change', 'the boot loader', 'its default environment has no room')
}

function changedVariable(variable: string): string[] {
	const [name = '', value = ''] = variable.split(/=(.*)/s, 2)
	if (NETWORK.includes(name.replace(/^bootcmd_/, ''))) return []
	switch (name) {
		// No look at the keyboard at all.
		case 'bootdelay': return [`${name}=-2`]
		case 'bootcmd': return [`${name}=${value}; reset`]
		case 'boot_targets': return [`${name}=${value.split(' ')
			.filter((target) => !NETWORK.includes(target)).join(' ')}`]
		default: return [variable]
	}
}
