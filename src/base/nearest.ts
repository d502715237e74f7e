// The known name nearest to what a person wrote.

/** undefined when more than a third of the word would have to change. */
export function nearest(word: string, known: readonly string[]): string | undefined {
	let best: string | undefined
	let least = Math.max(1, Math.floor(word.length / 3)) + 1
	for (const name of known) {
		const distance = name.startsWith(word) && word.length > 1 ? 1 : edits(word, name)
		if (distance < least) {
			best = name
			least = distance
		}
	}
	return best
}

/** Substitutions, insertions, deletions and swaps of neighbours that turn a into b. */
export function edits(a: string, b: string): number {
	let older: number[] = []
	let above = Array.from({ length: b.length + 1 }, (_, j) => j)
	for (let i = 1; i <= a.length; i++) {
		const row = [i]
		for (let j = 1; j <= b.length; j++) {
			const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
			row[j] = Math.min(change, above[j]! + 1, row[j - 1]! + 1)
			const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
			if (swapped) row[j] = Math.min(row[j]!, older[j - 2]! + 1)
		}
		older = above
		above = row
	}
	return above[b.length]!
}
