// From the bytes of a terminal to keys: characters in UTF-8, control keys, escape sequences, each
// of which a read may cut anywhere. What is none of these is noise: bits that fell over.

/** One character, or a key's name, which is longer. */
export type Key = string

/** A break arrives as NUL; so does the line's rest at a wrong speed. */
const CONTROLS: Readonly<Record<number, Key>> = {
	0x00: 'break', 0x01: 'home', 0x02: 'left', 0x03: 'interrupt', 0x04: 'end-of-input', 0x05: 'end',
	0x06: 'right', 0x08: 'backspace', 0x09: 'tab', 0x0b: 'erase-right', 0x0c: 'redraw', 0x0e: 'down',
	0x10: 'up', 0x15: 'erase-left', 0x17: 'erase-word', 0x7f: 'backspace',
}

const SEQUENCES: Readonly<Record<string, Key>> = {
	'[A': 'up', '[B': 'down', '[C': 'right', '[D': 'left', '[H': 'home', '[F': 'end',
	'OA': 'up', 'OB': 'down', 'OC': 'right', 'OD': 'left', 'OH': 'home', 'OF': 'end',
	'[1~': 'home', '[7~': 'home', '[4~': 'end', '[8~': 'end', '[3~': 'delete',
}

/** Longer ones are noise. */
const SEQUENCE_MAX = 8

export class KeyReader {
	readonly #decoder = new TextDecoder()
	/** Behind an escape: what came of its sequence. */
	#sequence: string | undefined
	/** A line feed that follows at once is the same key. */
	#afterReturn = false

	read(bytes: Uint8Array): Key[] {
		const text = this.#decoder.decode(bytes, { stream: true })
		return [...text].flatMap((character) => this.#keyOf(character) ?? [])
	}

	#keyOf(character: string): Key | undefined {
		const code = character.codePointAt(0)!
		if (this.#sequence !== undefined && code >= 0x20) return this.#continue(character)
		this.#sequence = undefined
		const isSecondHalf = this.#afterReturn && code === 0x0a
		this.#afterReturn = code === 0x0d
		if (isSecondHalf) return undefined
		if (code === 0x0d || code === 0x0a) return 'enter'
		if (code === 0x1b) {
			this.#sequence = ''
			return undefined
		}
		if (code < 0x20 || code === 0x7f) return CONTROLS[code] ?? 'noise'
		// C1 controls, and what was no UTF-8.
		return (code >= 0x80 && code < 0xa0) || code === 0xfffd ? 'noise' : character
	}

	#continue(character: string): Key | undefined {
		const sequence = this.#sequence! + character
		const isOpen = sequence === '[' || sequence === 'O' || /^\[[0-9;?]*$/.test(sequence)
		this.#sequence = isOpen && sequence.length < SEQUENCE_MAX ? sequence : undefined
		return isOpen ? undefined : SEQUENCES[sequence]
	}
}
