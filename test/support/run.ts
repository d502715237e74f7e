// Runs AVA over the compiled tests and says what happened in words: every failure in full, every
// skipped test with its reason, and one closing line. Tests of the network run one file at a time.
// Usage: run.js [--table] [FILE-OR-FOLDER…]

import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { TapReader, type Result } from './tap.ts'
import { drawTable } from './table.ts'

/** Files whose tests share ports, namespaces or the machine's speed with nobody. */
const ALONE = /^test\/(interop|netns|bench)\/|\.alone\.test\.ts$/
/** Each keeps one core busy with an emulated board, in a namespace of its own. */
const BOARDS = /^test\/firmware\//

const COMPILED = 'build/out/'
/** Lines of one failure that are shown; a difference of snapshots can be endless. */
const DETAILS_MAX = 150
/** When no test ends or says a word for so long, one of them hangs. */
const IDLE_MILLIS = 360_000

async function main(args: readonly string[]): Promise<number> {
	const table = args.includes('--table')
	const wanted = args.filter((arg) => arg !== '--table')
	const files = findTests(wanted)
	if (files.length === 0) {
		console.log(`no tests in ${wanted.join(' ') || 'test'} yet`)
		return wanted.every((path) => path === 'test/interop') ? 0 : 1
	}
	const started = performance.now()
	const boards = files.filter((file) => BOARDS.test(file))
	const alone = files.filter((file) => ALONE.test(file))
	const together = files.filter((file) => !alone.includes(file) && !boards.includes(file))
	const results = [
		...await runAva(together, ['--concurrency=2']),
		...await runAva(boards, ['--concurrency=2', '--serial']),
		...await runAva(alone, ['--concurrency=1', '--serial']),
	]
	return report(results, (performance.now() - started) / 1000, table)
}

/** Sources, not what lies in the output folder: a deleted test must not run on. */
function findTests(wanted: readonly string[]): string[] {
	const files = (wanted.length === 0 ? ['test'] : wanted).flatMap((path) => {
		if (path === 'test/interop' && !existsSync(path)) return []
		if (!statSync(path).isDirectory()) return [path]
		const inside = readdirSync(path, { recursive: true, encoding: 'utf8' })
		return inside.filter((file) => file.endsWith('.test.ts')).map((file) => join(path, file))
	})
	if (wanted.length > 0 || process.env['CURVEGATE_FIRMWARE'] !== undefined) {
		return [...new Set(files)].sort()
	}
	console.log('test/firmware, which boots images, is run by make test-firmware')
	return files.filter((file) => !BOARDS.test(file)).sort()
}

async function runAva(files: readonly string[], options: readonly string[]): Promise<Result[]> {
	if (files.length === 0) return []
	const reader = new TapReader()
	const compiled = files.map((file) => COMPILED + file.replace(/\.ts$/, '.js'))
	const ava = spawn(process.execPath, ['node_modules/ava/entrypoints/cli.mjs', '--tap', ...options,
		...compiled], { stdio: ['ignore', 'pipe', 'pipe'] })
	const ended = new Promise<string>((resolve) => {
		ava.on('close', (code, signal) => resolve(String(signal ?? code)))
	})
	// AVA's own limit forgets to name the tests that it waits for, so it is set out of the way.
	let last = 'none'
	const stuck = setTimeout(() => {
		console.log(`not a word in ${IDLE_MILLIS / 1000} s; the last test that ended: ${last}`)
		ava.kill('SIGINT')
	}, IDLE_MILLIS)
	// What tests print; boots say that they wait.
	ava.stderr.on('data', (chunk: Buffer) => {
		process.stderr.write(chunk)
		stuck.refresh()
	})
	for await (const line of createInterface({ input: ava.stdout })) {
		if (!reader.read(line)) console.log(line)
		if (/^(not )?ok /.test(line)) last = line
		stuck.refresh()
	}
	clearTimeout(stuck)
	const code = await ended
	reader.end()
	const failed = reader.results.some((result) => result.outcome === 'failed')
	if (!reader.finished || (code !== '0' && !failed)) {
		reader.results.push({ title: `AVA ended with ${code}`, outcome: 'failed', details: [] })
	}
	return reader.results
}

function report(results: readonly Result[], seconds: number, table: boolean): number {
	const of = (outcome: Result['outcome']): Result[] =>
		results.filter((result) => result.outcome === outcome)
	if (table) console.log(drawTable(results))
	const skipped = of('skipped')
	if (skipped.length > 0) console.log(skipped.map(({ title }) => `skipped: ${title}`).join('\n'))
	const failed = of('failed')
	for (const { title, details } of failed) {
		const shown = details.slice(0, DETAILS_MAX)
		const more = details.length - shown.length
		if (more > 0) shown.push(`… and ${more} more lines`)
		console.log(['', `FAILED: ${title}`, ...shown.map((line) => `    ${line}`)].join('\n'))
	}
	const passed = of('passed').length
	console.log(`\n${results.length} tests in ${seconds.toFixed(1)} s`)
	const summary = `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`
	console.log(summary)
	writeFileSync('build/summary', `${summary}\n`)
	return failed.length === 0 && results.length > 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
