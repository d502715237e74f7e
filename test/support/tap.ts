// Reads AVA's TAP, line by line, into results. Knows no process and prints nothing.

export interface Result {
	readonly title: string
	readonly outcome: 'passed' | 'failed' | 'skipped'
	/** What AVA says about a failure: message, differences, stack. */
	readonly details: readonly string[]
}

export class TapReader {
	readonly results: Result[] = []
	/** AVA's last line was seen: without it the run was cut short. */
	finished = false
	#title = ''
	#outcome: Result['outcome'] | undefined
	#details: string[] = []
	#inDetails = false

	/** Takes one line; false when it is no TAP, so a test's or a program's own words. */
	read(line: string): boolean {
		if (this.#inDetails) {
			if (line === '  ...') this.#inDetails = false
			else this.#details.push(...unfold(line.slice(2)))
			return true
		}
		if (line === '  ---' && this.#outcome !== undefined) {
			this.#inDetails = true
			return true
		}
		const test = /^(not ok|ok) \d+ - (.*?)(?: # (SKIP|TODO))?$/.exec(line)
		if (test !== null) {
			this.#close()
			this.#title = test[2]!.replaceAll('\\#', '#')
			this.#outcome = test[3] !== undefined ? 'skipped' : test[1] === 'ok' ? 'passed' : 'failed'
			return true
		}
		if (/^1\.\.\d+$/.test(line)) {
			this.#close()
			this.finished = true
			return true
		}
		return line === '' || line.startsWith('TAP version') || line.startsWith('# ')
	}

	/** Call at the end of the input. */
	end(): void {
		this.#close()
	}

	#close(): void {
		if (this.#outcome === undefined) return
		this.results.push({ title: this.#title, outcome: this.#outcome, details: this.#details })
		this.#outcome = undefined
		this.#details = []
	}
}

/** YAML puts a text with rare characters on one line, in double quotes: back into lines. */
function unfold(line: string): string[] {
	const quoted = /^(\s*.*?): (".*")$/.exec(line)
	if (quoted === null) return [line]
	try {
		const text: unknown = JSON.parse(quoted[2]!.replaceAll(/\\U0*([0-9A-F]{5})/g, codePoint))
		return [`${quoted[1]}:`, ...String(text).split('\n')]
	} catch {
		return [line]
	}
}

function codePoint(_: string, digits: string): string {
	return String.fromCodePoint(parseInt(digits, 16))
}
