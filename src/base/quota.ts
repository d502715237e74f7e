// So many at once, whoever has them: what several owners share of one limit.

export class Quota {
	/** May be lowered below used: then nobody gets more until enough was given back. */
	max: number
	used = 0

	constructor(max: number) {
		this.max = max
	}

	get isFull(): boolean {
		return this.used >= this.max
	}
}
