// What a reader of some text answers instead of a value.

/** What the text should have been, and where in it (from 0) that shows. */
export class Wrong {
	readonly message: string
	readonly at: number

	constructor(message: string, at = 0) {
		this.message = message
		this.at = at
	}
}
