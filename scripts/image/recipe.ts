// What an image is made of, from the board's profile alone: a new board is a new file of data.

import { Usage } from '../../src/platform/trouble.ts'
import { boardFolders, chooseBoard, loadBoards, type Board } from '../../src/service/board.ts'
import type { Profile } from '../../src/service/board-schema.ts'
import type { Tools } from './tools.ts'

/** What every image takes from Debian; what these depend on comes along. */
export const SYSTEM_PACKAGES = [
	'busybox-static', 'e2fsprogs', 'libc6', 'libgcc-s1', 'libsodium23', 'libstdc++6', 'nftables',
]

type Image = NonNullable<Profile['image']>

export interface Recipe {
	readonly board: string
	readonly profile: Profile
	readonly image: Image
	readonly suite: string
	/** Debian's and npm's name are the same for what we build: arm64. */
	readonly architecture: string
	/** Of Debian, for this board alone. */
	readonly packages: readonly string[]
	readonly kernelPackage: string
	readonly nodeVersion: string
}

export async function recipeOf(name: string, boards?: string): Promise<Recipe> {
	const board = await chooseBoard(name, boardFolders(boards))
	const recipe = recipeFrom(board)
	if (recipe !== undefined) return recipe
	throw new Usage(`board '${name}' has no [image]: ${board.profile.status.reason}`)
}

/** Those of every board that has an image. */
export async function recipes(boards?: string): Promise<Recipe[]> {
	const { boards: all } = await loadBoards(boardFolders(boards))
	return all.map(recipeFrom).filter((recipe) => recipe !== undefined)
}

function recipeFrom({ name, profile }: Board): Recipe | undefined {
	const { image, node, hardware } = profile
	if (image === undefined) return undefined
	if (node?.version === undefined) throw new Usage(`board '${name}': [image] needs node.version`)
	if (hardware.arch === 'any') throw new Usage(`board '${name}': [image] needs hardware.arch`)
	if (profile.console === undefined) throw new Usage(`board '${name}': [image] needs [console]`)
	const further = [image['bootloader-package'], ...image['firmware-packages'] ?? []]
	return {
		board: name, profile, image, suite: image.suite, architecture: hardware.arch,
		packages: [image['kernel-package'], ...further.filter((one) => one !== undefined)],
		kernelPackage: image['kernel-package'],
		nodeVersion: node.version,
	}
}

/** Debian's linux-image-arm64 is empty: it names the kernel of the day. */
export function kernelOf(tools: Tools, path: string): string {
	const depends = tools.run('dpkg-deb', ['-f', path, 'Depends'])
	return /\blinux-image-\d\S*/.exec(depends)?.[0].replace(/,$/, '')
		?? tools.run('dpkg-deb', ['-f', path, 'Package']).trim()
}
