// Applications beside the slots: a folder that is written whole, then renamed. What starts it,
// keeps it or takes it away is a shell script of the device, curvegate-device/app.

import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Bytes } from '../../base/bytes.ts'
import { nodeDisk, type Disk } from '../../platform/disk.ts'
import { Trouble, troubleOf } from '../../platform/trouble.ts'
import type { Manifest } from './manifest.ts'

/** No bundle is larger; a bomb would be. */
const BUNDLE_BYTES_MAX = 32 << 20

/** Until the service is started again, what runs goes on. */
export function putApp(
	folder: string, packed: Bytes, { built }: Pick<Manifest, 'built'>, disk: Disk = nodeDisk,
): void {
	const fresh = join(folder, 'new')
	const trial = join(folder, 'trial')
	try {
		const bundle = unpack(packed)
		if (disk.look(folder) === undefined) disk.makeFolder(folder, 0o755)
		disk.remove(fresh)
		disk.makeFolder(fresh, 0o755)
		disk.write(join(fresh, 'curvegate'), bundle, 0o755)
		disk.sync(join(fresh, 'curvegate'))
		disk.write(join(fresh, 'built'), new TextEncoder().encode(`${built}\n`), 0o644)
		disk.sync(join(fresh, 'built'))
		disk.sync(fresh)
		disk.remove(trial)
		disk.rename(fresh, trial)
		disk.sync(folder)
	} catch (error) {
		tidy(fresh, disk)
		throw troubleOf('write', folder, error)
	}
}

function unpack(packed: Bytes): Bytes {
	try {
		return gunzipSync(packed, { maxOutputLength: BUNDLE_BYTES_MAX })
	} catch (error) {
		const cause = error instanceof Error ? error.message : String(error)
		throw new Trouble('unpack', 'the application', cause)
	}
}

/** So that a full partition is not full of what was given up. */
function tidy(fresh: string, disk: Disk): void {
	try {
		disk.remove(fresh)
	} catch {
		// The error before this one is told.
	}
}

/** When the good application was built; undefined: there is none. */
export function goodApp(folder: string, disk: Disk = nodeDisk): number | undefined {
	const path = join(folder, 'good/built')
	if (disk.look(path)?.kind !== 'file') return undefined
	const p = new Uint8Array(16)
	const text = new TextDecoder().decode(p.subarray(0, disk.read(path, p))).trim()
	return /^\d{1,11}$/.test(text) ? Number(text) : undefined
}
