// Installs an update on the device that we run on.

import { EXIT_DONE, Trouble } from '../../platform/trouble.ts'
import { Installer } from '../../service/firmware/install.ts'
import {
	deviceHere, KEY_FILE, placeOf, readUpdateKey,
} from '../../service/firmware/device-place.ts'
import { sumOf, versionText, type Manifest } from '../../service/firmware/manifest.ts'
import { askSupervisor } from '../../service/supervisor.ts'
import type { Arguments } from '../arguments.ts'
import { printLine } from '../output.ts'
import type { Progress } from '../progress.ts'
import type { UpdateFile } from './file.ts'

export async function installHere(
	args: Arguments, file: UpdateFile, progress: Progress,
): Promise<number> {
	const device = deviceHere(args.text('device'))
	const place = placeOf(device, readUpdateKey(args.text('key') ?? KEY_FILE))
	const dryRun = args.has('dry-run')
	const installer = new Installer(place, {
		older: args.has('older'), dryRun,
		began: (manifest) => progress.begin(dryRun ? 'check' : 'install', sumOf(manifest)),
	})
	try {
		await takeAll(installer, file, progress)
		const manifest = installer.finish()
		progress.clear()
		say(args, manifest, dryRun)
		if (args.has('reboot') && !dryRun) askSupervisor(isApp(manifest) ? 'restart' : 'reboot')
		return EXIT_DONE
	} finally {
		progress.clear()
		installer.close()
	}
}

/** A pipe may stay open behind the update's last byte. */
async function takeAll(
	installer: Installer, file: UpdateFile, progress: Progress,
): Promise<void> {
	try {
		for await (const piece of file.pieces()) {
			installer.take(piece)
			if (installer.manifest !== undefined) progress.at(installer.at)
			if (installer.isWhole) return
		}
	} catch (error) {
		if (error instanceof Trouble) throw error
		throw new Trouble('read', file.name, error instanceof Error ? error.message : String(error))
	}
}

function isApp(manifest: Manifest): boolean {
	return manifest.parts[0]!.name === 'app'
}

function say(args: Arguments, manifest: Manifest, dryRun: boolean): void {
	const { board, version, built } = manifest
	const part = isApp(manifest) ? 'application' : 'slot'
	if (args.has('json')) {
		const event = dryRun ? 'checked' : 'installed'
		return printLine(JSON.stringify({ event, board, version, built, part }))
	}
	const what = `${part} ${versionText(manifest)} for ${board}`
	const next = args.has('reboot') ? 'tried now'
		: `tried once after a restart${isApp(manifest) ? ' of the service' : ''}`
	printLine(dryRun ? `${what}: right; nothing was written` : `${what}: installed, ${next}`)
}
