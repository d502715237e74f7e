// What may be overwritten, shown to folders that look like /sys and /proc of a machine with an NVMe
// system disk under encryption, a USB stick, an SD card, an eMMC and a RAID.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { lookAt, MACHINE, type Roots } from '../../../../scripts/flash/device.ts'
import { EXIT_CODES } from '../../../../scripts/flash/exit.ts'
import { guard, type Wishes } from '../../../../scripts/flash/guards.ts'
import { makeFolder } from '../../../support/processes.ts'

const CAREFUL: Wishes = { forceFixed: false, large: false }
const IMAGE_BYTES = 256 << 20
const GIB = 2 ** 30

interface Disk {
	readonly number: string
	/** Below /sys/devices. */
	readonly folder: string
	readonly bytes: number
	readonly files?: Readonly<Record<string, string>>
	/** Their numbers and sizes. */
	readonly parts?: Readonly<Record<string, readonly [string, number]>>
}

const USB = 'pci0/usb1/1-2/1-2:1.0/host6/target6/6:0:0:0/block/sdb'
const DISKS: readonly Disk[] = [
	{ number: '259:0', folder: 'pci0/nvme/nvme0/nvme0n1', bytes: 512 * GIB,
		files: { 'device/model': 'Fast 500', 'device/serial': 'N1' },
		parts: { nvme0n1p1: ['259:1', GIB], nvme0n1p2: ['259:2', 400 * GIB] } },
	{ number: '253:0', folder: 'virtual/block/dm-0', bytes: 400 * GIB },
	{ number: '8:16', folder: USB, bytes: 16 * GIB,
		files: { 'removable': '1', 'device/vendor': 'Acme', 'device/model': 'Stick',
			'../../../../../../serial': '4C53' },
		parts: { sdb1: ['8:17', GIB], sdb2: ['8:18', 15 * GIB] } },
	{ number: '8:32', folder: 'pci0/usb1/1-3/block/sdc', bytes: 2000 * GIB,
		files: { removable: '0' } },
	{ number: '179:0', folder: 'mmc/mmc0/mmc0:aaaa/block/mmcblk0', bytes: 8 * GIB,
		files: { 'device/type': 'SD', 'device/name': 'SL08G', 'device/serial': '0x12', 'ro': '1' } },
	{ number: '179:32', folder: 'mmc/mmc1/mmc1:0001/block/mmcblk1', bytes: 8 * GIB,
		files: { 'device/type': 'MMC', 'device/name': 'AJTD4R' } },
	{ number: '8:48', folder: 'pci0/ata1/block/sdd', bytes: 128 << 20, files: { removable: '1' },
		parts: { sdd1: ['8:49', 64 << 20] } },
	{ number: '9:127', folder: 'virtual/block/md127', bytes: 64 << 20 },
]

const MOUNTS = [
	'22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/root rw',
	'23 22 259:1 / /boot rw - ext4 /dev/nvme0n1p1 rw',
	'24 22 0:5 / /proc rw - proc proc rw',
]

class Machine implements Roots {
	readonly sys: string
	readonly proc: string

	constructor(t: ExecutionContext) {
		const root = makeFolder(t)
		this.sys = join(root, 'sys')
		this.proc = join(root, 'proc')
		for (const disk of DISKS) this.#add(disk)
		this.hold('nvme0n1/nvme0n1p2', 'dm-0')
		this.mounts(...MOUNTS)
		this.write(join(this.proc, 'swaps'), 'Filename Type Size Used Priority\n')
	}

	node = (path: string): ReturnType<Roots['node']> => {
		const name = path.replace('/dev/', '').replace('mapper/root', 'dm-0')
		const all = DISKS.flatMap(({ folder, number, parts }) =>
			[[folder.split('/').at(-1), number] as const,
				...Object.entries(parts ?? {}).map(([part, [its]]) => [part, its] as const)])
		const number = all.find(([one]) => one === name)?.[1]
		if (number === undefined) return { kind: 'other' }
		const [major, minor] = number.split(':').map(Number)
		return { kind: 'block', major: major!, minor: minor! }
	}

	mounts(...lines: readonly string[]): void {
		this.write(join(this.proc, 'self/mountinfo'), `${lines.join('\n')}\n`)
	}

	/** holder is built upon part. */
	hold(part: string, holder: string): void {
		this.write(join(this.sys, 'class/block', part.split('/')[0]!, part.split('/')[1] ?? '',
			'holders', holder), '')
		this.write(join(this.sys, 'class/block', holder, 'slaves', part.split('/').at(-1)!), '')
	}

	write(path: string, text: string): void {
		mkdirSync(dirname(path), { recursive: true })
		rmSync(path, { force: true })
		writeFileSync(path, text)
	}

	#add({ number, folder, bytes, files, parts }: Disk): void {
		const path = join(this.sys, 'devices', folder)
		this.#addNode(path, number, bytes)
		for (const [file, text] of Object.entries(files ?? {})) {
			this.write(join(path, file), `${text}\n`)
		}
		for (const [name, [its, size]] of Object.entries(parts ?? {})) {
			this.#addNode(join(path, name), its, size)
			this.write(join(path, name, 'partition'), '1\n')
		}
	}

	#addNode(path: string, number: string, bytes: number): void {
		this.write(join(path, 'dev'), `${number}\n`)
		this.write(join(path, 'size'), `${bytes / 512}\n`)
		for (const link of [`dev/block/${number}`, `class/block/${path.split('/').at(-1)}`]) {
			mkdirSync(dirname(join(this.sys, link)), { recursive: true })
			symlinkSync(path, join(this.sys, link))
		}
	}

	/** What the guard says: its cause and its words. */
	verdict(device: string, wishes: Partial<Wishes> = {}): readonly [string, string] {
		const refusal = guard(lookAt(`/dev/${device}`, this), IMAGE_BYTES, { ...CAREFUL, ...wishes })
		return refusal === undefined ? ['', ''] : [refusal.cause, refusal.message]
	}
}

test('a stick is shown with model, serial number, size, bus and partitions', (t) => {
	t.deepEqual(lookAt('/dev/sdb', new Machine(t)), {
		path: '/dev/sdb', name: 'sdb', kind: 'disk', bytes: 16 * GIB, model: 'Acme Stick',
		serial: '4C53', bus: 'usb', removable: true, readOnly: false,
		partitions: [{ name: 'sdb1', bytes: GIB }, { name: 'sdb2', bytes: 15 * GIB }],
		uses: [], system: [],
	})
})

test('every guard, each with its own words', (t) => {
	const machine = new Machine(t)
	const table: readonly (readonly [string, Partial<Wishes>, string, RegExp])[] = [
		['sdb', {}, '', /^$/],
		['sdb1', {}, 'not-a-disk', /is a partition; give the whole disk, \/dev\/sdb$/],
		['nvme0n1p1', {}, 'not-a-disk', /give the whole disk, \/dev\/nvme0n1$/],
		['dm-0', {}, 'not-a-disk', /made of memory or other devices/],
		['tty', {}, 'not-a-disk', /is no disk and no plain file/],
		['nvme0n1', {}, 'system-disk', /holds the running system \(\/, \/boot\)/],
		['nvme0n1', { forceFixed: true, large: true }, 'system-disk', /running system/],
		['sdc', {}, 'too-large', /has 2147 GB, .*--large$/],
		['sdc', { large: true }, '', /^$/],
		['mmcblk0', {}, 'read-only', /write-protected/],
		['mmcblk1', {}, 'not-removable', /is a fixed disk \(mmc\).*--force-fixed$/],
		['mmcblk1', { forceFixed: true }, '', /^$/],
		['sdd', {}, 'too-small', /has 134217728 bytes, the image 268435456$/],
	]
	for (const [device, wishes, cause, words] of table) {
		const [found, message] = machine.verdict(device, wishes)
		t.is(found, cause, `${device}: ${message}`)
		t.regex(message, words)
	}
})

test('whatever uses a disk or a part of it is named', (t) => {
	const machine = new Machine(t)
	machine.mounts(...MOUNTS, '30 22 8:18 / /media/my\\040card rw - vfat /dev/sdb2 rw')
	t.deepEqual(machine.verdict('sdb'),
		['in-use', '/dev/sdb is in use: sdb2 mounted at /media/my card; cure: umount it'])
	machine.mounts(...MOUNTS, '30 22 0:44 / /media/b rw - btrfs /dev/sdb1 rw')
	t.regex(machine.verdict('sdb')[1], /sdb1 mounted at \/media\/b/)
	machine.mounts(...MOUNTS)
	machine.write(join(machine.proc, 'swaps'), 'Filename Type\n/dev/sdb2 partition 1 0 -2\n')
	t.regex(machine.verdict('sdb')[1], /in use: sdb2 swap$/)
	machine.write(join(machine.proc, 'swaps'), 'Filename Type\n')
	t.is(machine.verdict('sdb')[0], '')
	machine.hold('sdb/sdb1', 'md127')
	t.regex(machine.verdict('sdb')[1], /in use: sdb1 part of md127$/)
	machine.mounts(...MOUNTS, '30 22 9:127 / /srv rw - ext4 /dev/md127 rw')
	t.regex(machine.verdict('sdb')[1], /sdb1 part of md127, md127 mounted at \/srv; cure: umount it$/)
})

test('a file that is not there is made, one that is there keeps its size', (t) => {
	const folder = makeFolder(t)
	const path = join(folder, 'card.img')
	const fresh = lookAt(path)
	t.deepEqual([fresh.kind, fresh.bytes, fresh.removable], ['file', 0, true])
	t.is(guard(fresh, IMAGE_BYTES, CAREFUL), undefined)
	writeFileSync(path, 'short')
	t.is(guard(lookAt(path), IMAGE_BYTES, CAREFUL)?.cause, 'too-small')
	t.is(guard(lookAt(folder), IMAGE_BYTES, CAREFUL)?.cause, 'not-a-disk')
	t.is(lookAt('/dev/null', MACHINE).kind, 'other')
})

test('each cause has an exit code of its own', (t) => {
	const codes = Object.values(EXIT_CODES).map(([code]) => code)
	t.is(new Set(codes).size, codes.length)
})
