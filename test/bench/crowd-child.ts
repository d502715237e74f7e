// A crowd of clients as a process of its own: ADDRESS COUNT PORTION [SECONDS]. Opens them all, has
// each move one portion, and prints "open" and how many that were a second. Then it is idle until
// its input ends; with SECONDS each moves a portion every 2 s for so long, and it prints the least
// and the mean of their rounds.

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { SECOND } from '../../src/base/time.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { Crowd } from '../support/crowd.ts'

export interface Rounds {
	readonly least: number
	readonly mean: number
	readonly most: number
}

const PATIENCE = 120 * SECOND
const INTERVAL = 2 * SECOND

const [address = '', count = '1', portion = '1', seconds] = process.argv.slice(2)
const crowd = await Crowd.make(await openPlatform(), address, Number(count))
const startedAt = performance.now()
await crowd.open(Number(portion), PATIENCE)
console.log(`open ${(Number(count) * 1000) / (performance.now() - startedAt)}`)
if (seconds === undefined) {
	process.stdin.resume()
	await once(process.stdin, 'end')
} else {
	crowd.move(INTERVAL)
	crowd.rounds.fill(0)
	await pause(Number(seconds) * 1000)
	const rounds = crowd.rounds.slice()
	const rounded: Rounds = {
		least: rounds.reduce((least, one) => Math.min(least, one)),
		mean: rounds.reduce((sum, one) => sum + one, 0) / rounds.length,
		most: rounds.reduce((most, one) => Math.max(most, one)),
	}
	console.log(JSON.stringify(rounded))
}
process.exit()
