// Where each microsecond of a transfer goes, both sides beside their floor, as data-path.ts
// measures it in one process: each stage is a contestant, and the first of a round runs them all.

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import type { Bench, Contestant } from './bench.ts'

const PROGRAM = resolve('build/out/test/bench/data-path.js')
const MEGABYTES = { whole: 600, quick: 200 }

let rows: readonly (readonly [string, number, number])[] = []

function stage(name: string, isFirst = false): Contestant {
	return {
		name, needs: ['taskset'],
		run: async ({ quick }) => {
			if (isFirst) {
				const megabytes = String(quick ? MEGABYTES.quick : MEGABYTES.whole)
				const words = ['-c', '0', process.execPath, PROGRAM, megabytes]
				const text = execFileSync('taskset', words, { encoding: 'utf8' })
				rows = JSON.parse(text.trim().split('\n').at(-1)!)
			}
			const row = rows.find(([what]) => what === name)
			if (row === undefined) throw new Error('the program did not name it')
			return [row[1], row[2]]
		},
	}
}

export const stages: Bench = {
	name: 'stages',
	title: 'Where the time of a packet of 1,024 bytes goes, both sides in turn in one process',
	measures: [
		{ title: 'with libsodium', unit: 'ns' },
		{ title: 'without boxes', unit: 'ns' },
	],
	bases: [],
	rounds: 3,
	seconds: [12, 5],
	contestants: [
		stage('sender: program to ring', true),
		stage('sender: messages and boxes'),
		stage('sender: sendBatch'),
		stage('sender: acknowledgments'),
		stage('sender: all'),
		stage('sender: its floor, boxes and the system call'),
		stage('receiver: receiveBatch'),
		stage('receiver: boxes and messages'),
		stage('receiver: ring to program'),
		stage('receiver: acknowledgments'),
		stage('receiver: all'),
		stage('receiver: its floor, boxes and the system call'),
	],
}
