// The programs that images are made with: looked for before work begins, and run in surroundings
// that leave no trace of time and place in what they write.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../../src/platform/trouble.ts'

/** Program: the Debian package that has it. */
const TOOLS: Readonly<Record<string, string>> = {
	'aarch64-linux-gnu-strip': 'binutils-aarch64-linux-gnu',
	'apt-get': 'apt',
	'cpio': 'cpio',
	'depmod': 'kmod',
	'dd': 'coreutils',
	'dpkg-deb': 'dpkg',
	'mcopy': 'mtools',
	'mke2fs': 'e2fsprogs',
	'mkfs.vfat': 'dosfstools',
	'mkimage': 'u-boot-tools',
	'mksquashfs': 'squashfs-tools',
	'modprobe': 'kmod',
	'npm': 'npm',
	'readelf': 'binutils',
	'sfdisk': 'fdisk',
	'zstd': 'zstd',
}

function isInstalled(program: string, path: string): boolean {
	return path.split(':').some((folder) => {
		try {
			accessSync(join(folder, program), constants.X_OK)
			return true
		} catch {
			return false
		}
	})
}

/** Packages that are missing, each once. */
function missingPackages(path: string): string[] {
	const missing = Object.keys(TOOLS).filter((program) => !isInstalled(program, path))
	return [...new Set(missing.map((program) => TOOLS[program]!))].sort()
}

export class Tools {
	readonly #path: string
	readonly #environment: NodeJS.ProcessEnv

	/** Date: of everything that is made, in seconds since 1970. */
	constructor(date: number, path = process.env['PATH'] ?? '') {
		// Administrators' folders too, which a user's PATH often lacks.
		this.#path = `${path}:/usr/sbin:/sbin`
		this.#environment = {
			...process.env, PATH: this.#path, LC_ALL: 'C', TZ: 'UTC', SOURCE_DATE_EPOCH: String(date),
			E2FSPROGS_FAKE_TIME: String(date), MTOOLS_SKIP_CHECK: '1', MKE2FS_CONFIG: '/nonexistent',
		}
	}

	/** Installs the absent ones when it may, and says how when it may not. */
	ensure(): void {
		const missing = missingPackages(this.#path)
		if (missing.length === 0) return
		const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
		if (process.geteuid?.() !== 0) {
			throw new Trouble('begin without', missing.join(', '), `cure: sudo ${command}`)
		}
		console.log(`installing ${missing.join(', ')}`)
		const env = { DEBIAN_FRONTEND: 'noninteractive' }
		this.run('apt-get', ['update', '-q'], { env })
		const [program, ...args] = command.split(' ')
		this.run(program!, ['-o', 'DPkg::Lock::Timeout=300', ...args], { env })
	}

	/** What the program says on stdout; Trouble with its own words when it fails. */
	run(program: string, args: readonly string[], options: RunOptions = {}): string {
		const { status, stdout, stderr, error } = this.try(program, args, options)
		if (error !== undefined) throw new Trouble('run', program, error.message)
		if (status === 0) return stdout
		const words = stderr.trim().split('\n').filter((line) => line !== '').slice(-3).join('; ')
		throw new Trouble('run', `${program} ${args.slice(0, 2).join(' ')} …`,
			words === '' ? `it ended with ${String(status)}` : words)
	}

	/** The same, whatever comes of it. */
	try(
		program: string, args: readonly string[], options: RunOptions = {},
	): { status: number | null, stdout: string, stderr: string, error?: Error } {
		const { env, ...rest } = options
		return spawnSync(program, args, {
			...rest, encoding: 'utf8', maxBuffer: 2 ** 28, env: { ...this.#environment, ...env },
		})
	}
}

export interface RunOptions {
	readonly cwd?: string
	readonly input?: string
	readonly env?: Readonly<Record<string, string>>
}
