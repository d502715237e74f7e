// Figures of the image in QEMU: seconds from power to the first answer on the console and to the
// first CurveCP handshake, memory in use, the least memory that starts. Usage: measure.js [ROUNDS]

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BOARD, Disk, findImage } from '../support/image.ts'
import { HOST_PORT, Machine, virtHardware } from '../support/machine.ts'
import { Network, type Box } from '../support/netns.ts'
import type { Owner } from '../support/processes.ts'

const ADDRESS = /curvecp:\/\/[0-9a-f]{64}@10\.0\.2\.15:4000\/curvegate\?check=[0-9a-f]{8}/
const PROMPT = /curvegate> /
/** Sizes that are tried, from the largest; the first that fails ends it. */
const MEGABYTES = [192, 160, 144, 128, 112, 96]
const START_PATIENCE = 90_000

/** Cleans up when its part is over. */
class Part implements Owner {
	readonly #clean: (() => void | Promise<void>)[] = []

	teardown(clean: () => void | Promise<void>): void {
		this.#clean.push(clean)
	}

	async end(): Promise<void> {
		for (const clean of this.#clean.reverse()) await clean()
	}
}

async function start(megabytes: number): Promise<string> {
	const part = new Part()
	try {
		const box = new Network(part).box('m')
		const disk = new Disk(part, BOARD)
		const uboot = join(disk.folder, 'u-boot.bin')
		const machine = new Machine(part, box, { hardware: virtHardware(disk.path, uboot, megabytes) })
		await machine.until(PROMPT, START_PATIENCE)
		const prompt = machine.seconds
		const status = await machine.ask<{ memory: { rssBytes: number } }>('status')
		const answer = machine.seconds
		const [address] = await machine.until(ADDRESS)
		const handshake = handshakeMillis(box, address)
		const ready = machine.seconds
		const rss = (status.memory.rssBytes / 2 ** 20).toFixed(1)
		return `${megabytes}M: prompt ${prompt.toFixed(1)} s, machine answer ${answer.toFixed(1)} s, `
			+ `address known and handshake over ${ready.toFixed(1)} s (${handshake} ms of it), `
			+ `service ${rss} MiB resident`
	} finally {
		await part.end()
	}
}

/** From outside, by our own client through the emulated network. */
function handshakeMillis(box: Box, address: string): number {
	const outside = address.replace('10.0.2.15:4000', `127.0.0.1:${HOST_PORT}`)
		.replace(/\?check=.*/, '')
	const answer: { handshakeMs: number } = JSON.parse(execFileSync('ip', ['netns', 'exec', box.ns,
		process.execPath, 'build/curvegate', 'ping', outside, '--count', '1', '--json'],
	{ encoding: 'utf8' }))
	return Math.round(answer.handshakeMs)
}

interface Sizes {
	readonly bytes: number
	readonly parts: Readonly<Record<string, { readonly bytes: number }>>
}

function sizes(): string {
	const folder = findImage(BOARD)!
	const { parts, bytes }: Sizes = JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8'))
	const lines = Object.entries(parts).map(([name, one]) =>
		`${name} ${(one.bytes / 2 ** 20).toFixed(1)}M`)
	const { blocks } = statSync(join(folder, 'disk.img'))
	return `disk ${(bytes / 2 ** 20).toFixed(0)}M (${(blocks / 2048).toFixed(0)}M written); `
		+ lines.join(', ')
}

console.log(sizes())
const rounds = Number(process.argv[2] ?? 3)
for (let round = 0; round < rounds; round++) console.log(await start(256))
for (const megabytes of MEGABYTES) {
	try {
		console.log(await start(megabytes))
	} catch (error) {
		console.log(`${megabytes}M: does not start: ${String(error).split('\n')[0]}`)
		break
	}
}
