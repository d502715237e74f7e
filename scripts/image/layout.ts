// Where everything lies on the card: pure arithmetic, and the words that sfdisk wants. Numbers are
// the same for both kinds of table: an MBR has four primary partitions, of which the fourth holds
// the others, and tryboot wants both boot partitions among the first three.

import { createHash } from 'node:crypto'
import type { Profile } from '../../src/service/board-schema.ts'

type Image = NonNullable<Profile['image']>

const MEBI = 2 ** 20
const SECTOR = 512

export interface Partition {
	readonly number: number
	readonly name: string
	readonly startBytes: number
	readonly sizeBytes: number
	readonly form: 'fat' | 'squashfs' | 'ext4' | 'raw'
}

export interface Layout {
	readonly table: 'gpt' | 'mbr'
	readonly sizeBytes: number
	readonly partitions: readonly Partition[]
}

/** Not in the profile: the slot state needs two blocks of 512 bytes, far apart. */
const STATE_BYTES = MEBI
const EXTENDED = 4

export function layoutOf(image: Image): Layout {
	const wanted: readonly (readonly [number, string, number, Partition['form']])[] = [
		[1, 'boot', image['first-size'], 'fat'],
		[2, 'boot_a', image['boot-size'], 'fat'],
		[3, 'boot_b', image['boot-size'], 'fat'],
		[5, 'root_a', image['root-size'], 'squashfs'],
		[6, 'root_b', image['root-size'], 'squashfs'],
		[7, 'data', image['data-size'], 'ext4'],
		[8, 'state', STATE_BYTES, 'raw'],
	]
	let at = MEBI
	const partitions = wanted.map(([number, name, sizeBytes, form]) => {
		// Before each one in the extended partition lies the sector that names it.
		const startBytes = number > EXTENDED ? at + MEBI : at
		at = startBytes + Math.ceil(sizeBytes / MEBI) * MEBI
		return { number, name, startBytes, sizeBytes, form }
	})
	// At the end GPT has its second copy.
	return { table: image['partition-table'], sizeBytes: at + MEBI, partitions }
}

export function partitionOf({ partitions }: Layout, name: string): Partition {
	const found = partitions.find((partition) => partition.name === name)
	if (found === undefined) throw new Error(`no partition ${name}`)
	return found
}

/** What sfdisk reads; identities come from the board's name, so that every build has the same. */
export function sfdiskScript(layout: Layout, board: string): string {
	return (layout.table === 'gpt' ? gptLines(layout, board) : mbrLines(layout, board)).join('\n')
}

const GPT_TYPES: Readonly<Record<Partition['form'], string>> = {
	fat: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
	squashfs: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
	ext4: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
	raw: '8DA63339-0007-60C0-C436-083AC8230908',
}
const MBR_TYPES: Readonly<Record<Partition['form'], string>> = {
	fat: 'c', squashfs: '83', ext4: '83', raw: 'da',
}

function gptLines({ partitions }: Layout, board: string): string[] {
	return [
		'label: gpt', `label-id: ${uuidOf(board, 'disk')}`, '',
		...partitions.map((one) => `disk${one.number} : ${rangeOf(one)}, type=${GPT_TYPES[one.form]}, `
			+ `uuid=${uuidOf(board, one.name)}, name=${one.name}`
			+ `${one.number === 1 ? ', attrs=LegacyBIOSBootable' : ''}`),
		'',
	]
}

function mbrLines(layout: Layout, board: string): string[] {
	const lines = layout.partitions.map((one) => `disk${one.number} : ${rangeOf(one)}, `
		+ `type=${MBR_TYPES[one.form]}${one.number === 1 ? ', bootable' : ''}`)
	const first = layout.partitions.find(({ number }) => number > EXTENDED)
	if (first !== undefined) {
		const startBytes = first.startBytes - MEBI
		const extended = rangeOf({ startBytes, sizeBytes: layout.sizeBytes - startBytes })
		lines.splice(EXTENDED - 1, 0, `disk${EXTENDED} : ${extended}, type=5`)
	}
	const id = createHash('sha256').update(board).digest().readUInt32BE(0)
	return ['label: dos', `label-id: 0x${id.toString(16).padStart(8, '0')}`, '', ...lines, '']
}

function rangeOf({ startBytes, sizeBytes }: Pick<Partition, 'startBytes' | 'sizeBytes'>): string {
	return `start=${startBytes / SECTOR}, size=${sizeBytes / SECTOR}`
}

/** A UUID of version 8 (whatever the maker likes) from two names. */
export function uuidOf(board: string, name: string): string {
	const hash = createHash('sha256').update(`curvegate ${board} ${name}`).digest()
	hash[6] = hash[6]! & 0x0f | 0x80
	hash[8] = hash[8]! & 0x3f | 0x80
	const hex = hash.toString('hex')
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20),
		hex.slice(20, 32)].join('-')
}

/** A FAT's serial number, in the eight digits that mkfs.vfat takes. */
export function volumeIdOf(board: string, name: string): string {
	return createHash('sha256').update(`curvegate ${board} ${name}`).digest('hex').slice(0, 8)
}
