// Our own bugs end the process; they are never an answer to input.

export function assert(condition: boolean, fact: string): asserts condition {
	if (!condition) throw new Error(`bug: ${fact}`)
}
