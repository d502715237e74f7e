// How far a run is: from what each bench is said to take, corrected by what the ones before took.

import type { Bench } from './bench.ts'

export class Progress {
	readonly #quick: boolean
	readonly #startedAt = performance.now()
	readonly #runs: number
	readonly #allSeconds: number
	#run = 1
	#doneSeconds = 0

	constructor(benches: readonly Bench[], quick: boolean) {
		this.#quick = quick
		this.#runs = sum(benches.map((bench) => this.#rounds(bench) * bench.contestants.length))
		this.#allSeconds = sum(benches.map((bench) => this.#rounds(bench) * this.#roundSeconds(bench)))
	}

	/** Of the run that is about to begin. */
	text(): string {
		const spent = (performance.now() - this.#startedAt) / 1000
		const pace = this.#doneSeconds === 0 ? 1 : spent / this.#doneSeconds
		const left = (this.#allSeconds - this.#doneSeconds) * pace
		const time = left < 100 ? `${left.toFixed(0)} s` : `${(left / 60).toFixed(0)} min`
		return `[${this.#run} of ${this.#runs}, ${time} left]`
	}

	done(bench: Bench): void {
		this.#run++
		this.#doneSeconds += this.#roundSeconds(bench) / bench.contestants.length
	}

	#rounds(bench: Bench): number {
		return this.#quick ? 1 : bench.rounds
	}

	#roundSeconds(bench: Bench): number {
		return bench.seconds[this.#quick ? 1 : 0]
	}
}

function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0)
}
