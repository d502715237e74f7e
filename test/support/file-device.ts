// A device whose partitions are files, for the command line to install updates on.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../../src/base/hex.ts'
import { readSlots } from '../../src/service/firmware/slot-store.ts'
import { COPIES_AT, encodeState } from '../../src/service/firmware/slots.ts'
import { makeFolder, type Owner } from './processes.ts'
import { KEYS } from './update-place.ts'

export interface FileDevice {
	readonly folder: string
	readonly options: readonly string[]
	/** Writes an update, and names it. */
	update(bytes: Uint8Array): string
	tries(): Readonly<Record<'a' | 'b', number>>
}

export function makeDevice(t: Owner, bootloader = 'u-boot'): FileDevice {
	const folder = makeFolder(t)
	const at = (name: string): string => join(folder, name)
	for (const name of ['boot_a', 'boot_b', 'root_a', 'root_b']) {
		writeFileSync(at(name), Buffer.alloc(400_000, name))
	}
	const state = Buffer.alloc(1 << 20)
	state.set(encodeState({ sequence: 1, slot: 'a', tries: { a: 3, b: 0 } }), COPIES_AT[0])
	writeFileSync(at('state'), state)
	mkdirSync(at('app'))
	writeFileSync(at('update.pub'), `${toHex(KEYS.publicKey)}\n`)
	writeFileSync(at('slots.json'), JSON.stringify({
		board: 'rpi-4', version: '0.1.0', built: 1000, slot: 'a',
		boot: { a: at('boot_a'), b: at('boot_b') }, root: { a: at('root_a'), b: at('root_b') },
		app: at('app'), state: at('state'), bootloader, disk: '/dev/vda',
		first: '/dev/vda1', data: '/dev/vda7', dataState: 'ok',
	}))
	return {
		folder, options: ['--device', at('slots.json'), '--key', at('update.pub')],
		update: (bytes) => {
			writeFileSync(at('x.update'), bytes)
			return at('x.update')
		},
		tries: () => readSlots(at('state')).tries,
	}
}
