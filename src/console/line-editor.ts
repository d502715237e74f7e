// One line as it is typed: editing, history, what is echoed and what is not. Keys in, text for the
// terminal out; knows no terminal. A line longer than the terminal is wide moves sideways.

import type { Key } from './keys.ts'

/** More of a line that a person types is refused; a machine's may be long. */
export const LINE_MAX = 1024
export const MACHINE_LINE_MAX = 16_384
const HISTORY_MAX = 50
const COLUMNS = 80

const BELL = '\u0007'
const CLEAR_RIGHT = '\u001b[K'

export interface Line {
	readonly text: string
	/** It starts with a brace: for programs, and never echoed. */
	readonly machine: boolean
	/** Characters were lost: there were too many, or some were no characters. */
	readonly damage: 'none' | 'overlong' | 'noise'
}

export class LineEditor {
	prompt = ''
	columns = COLUMNS
	/** Nothing of the line is shown or remembered. */
	secret = false
	/** Nothing at all is shown: a program is at the other end. */
	silent = false
	readonly #history: string[] = []
	#characters: string[] = []
	#at = 0
	#damage: Line['damage'] = 'none'
	/** Lines back from the newest of the history; 0: the line itself, which waits in draft. */
	#back = 0
	#draft = ''
	/** The line stands on the terminal as it is here. */
	#isShown = false

	get text(): string {
		return this.#characters.join('')
	}

	/** Left of the cursor. */
	get before(): string {
		return this.#characters.slice(0, this.#at).join('')
	}

	get isMachine(): boolean {
		return this.#characters[0] === '{'
	}

	/** Takes the key; what is to be written. 'enter' is not for here, but for take. */
	press(key: Key): string {
		if (key === 'noise') this.#damage = 'noise'
		if (this.isMachine || this.silent) {
			if ([...key].length === 1) this.#append(key)
			return ''
		}
		if ([...key].length === 1) return this.#insert(key)
		return this.#command(key)
	}

	/** The line is done; the editor starts a new one. */
	take(): Line {
		const line = { text: this.text, machine: this.isMachine, damage: this.#damage }
		const isNew = line.text.trim() !== '' && line.text !== this.#history.at(-1)
		if (isNew && !line.machine && !this.secret && !this.silent) {
			this.#history.push(line.text)
			if (this.#history.length > HISTORY_MAX) this.#history.shift()
		}
		this.clear()
		return line
	}

	clear(): void {
		this.#replace('')
		this.#damage = 'none'
		this.#back = 0
		this.#isShown = false
	}

	/** Puts text at the cursor, as if it had been typed. */
	insert(text: string): string {
		for (const character of text) {
			if (this.#characters.length >= LINE_MAX) break
			this.#characters.splice(this.#at++, 0, character)
		}
		return this.draw()
	}

	/** The whole line anew, wherever the cursor was: what others wrote may have torn it. */
	draw(): string {
		this.#isShown = true
		if (this.silent || this.isMachine) return ''
		if (this.secret) return `\r${this.prompt}${CLEAR_RIGHT}`
		const room = Math.max(8, this.columns - this.prompt.length - 1)
		const from = Math.max(0, this.#at - room)
		const shown = this.#characters.slice(from, from + room).join('')
		const left = Math.min(this.#characters.length, from + room) - this.#at
		const back = left > 0 ? `\u001b[${left}D` : ''
		return `\r${this.prompt}${shown}${CLEAR_RIGHT}${back}`
	}

	#append(character: string): void {
		if (this.#characters.length < MACHINE_LINE_MAX) this.#characters.push(character)
		else this.#damage = 'overlong'
		this.#at = this.#characters.length
	}

	#insert(character: string): string {
		if (this.#characters.length >= LINE_MAX) {
			this.#damage = 'overlong'
			return BELL
		}
		const isAtEnd = this.#at === this.#characters.length
		this.#characters.splice(this.#at++, 0, character)
		if (this.isMachine || this.secret) return ''
		const fits = this.prompt.length + this.#characters.length < this.columns
		return isAtEnd && fits && this.#isShown ? character : this.draw()
	}

	#command(key: Key): string {
		const { length } = this.#characters
		switch (key) {
			case 'backspace': return this.#erase(this.#at - 1, this.#at)
			case 'delete': return this.#erase(this.#at, this.#at + 1)
			case 'erase-left': return this.#erase(0, this.#at)
			case 'erase-right': return this.#erase(this.#at, length)
			case 'erase-word': return this.#erase(/\S*\s*$/.exec(this.before)!.index, this.#at)
			case 'left': return this.#move(this.#at - 1)
			case 'right': return this.#move(this.#at + 1)
			case 'home': return this.#move(0)
			case 'end': return this.#move(length)
			case 'up': return this.#recall(this.#back + 1)
			case 'down': return this.#recall(this.#back - 1)
			case 'redraw': return this.draw()
			default: return ''
		}
	}

	#erase(from: number, to: number): string {
		const start = Math.max(0, from)
		if (start >= Math.min(to, this.#characters.length)) return this.secret ? '' : BELL
		this.#characters.splice(start, to - start)
		this.#at = start
		return this.draw()
	}

	#move(to: number): string {
		this.#at = Math.max(0, Math.min(to, this.#characters.length))
		return this.draw()
	}

	#recall(back: number): string {
		if (this.secret || back < 0 || back > this.#history.length) return BELL
		if (this.#back === 0) this.#draft = this.text
		this.#back = back
		this.#replace(back === 0 ? this.#draft : this.#history.at(-back)!)
		return this.draw()
	}

	#replace(text: string): void {
		this.#characters = [...text]
		this.#at = this.#characters.length
	}
}
