// The asking side of the control socket.

import { connect, type Socket } from 'node:net'
import { causeOf, codeOf, Trouble } from '../platform/trouble.ts'
import { controlPaths } from './control-place.ts'
import type { Status } from './status.ts'

/** An answer that is longer is not one of ours. */
const ANSWER_MAX = 16 << 20
const PATIENCE_MS = 5000

/** One connection to a process; requests go one after the other. */
export class ControlClient {
	readonly path: string
	readonly #socket: Socket
	#buffer = ''
	#id = 0
	#waiting: { resolve: (line: string) => void, reject: (error: Error) => void } | undefined

	constructor(path: string) {
		this.path = path
		this.#socket = connect(path)
		this.#socket.setEncoding('utf8')
		this.#socket.on('data', (text: string) => this.#take(text))
		this.#socket.on('error', (error) => this.#fail(error))
		this.#socket.on('close', () => this.#fail(new Error('it has closed the connection')))
	}

	async ask(cmd: string, fields: Readonly<Record<string, string | number>> = {}): Promise<unknown> {
		const id = ++this.#id
		const line = new Promise<string>((resolve, reject) => {
			this.#waiting = { resolve, reject }
		})
		const late = setTimeout(() => this.#socket.destroy(new Error('no answer')), PATIENCE_MS)
		try {
			if (this.#socket.destroyed) throw new Error('it has closed the connection')
			this.#socket.write(`${JSON.stringify({ id, cmd, ...fields })}\n`)
			const answer: { id: unknown, result?: unknown, error?: string } = JSON.parse(await line)
			if (answer.error !== undefined) throw new Trouble('ask', this.path, answer.error)
			return answer.result
		} catch (error) {
			if (error instanceof Trouble) throw error
			throw new Trouble('ask', this.path, causeOf(error), codeOf(error))
		} finally {
			clearTimeout(late)
		}
	}

	async status(): Promise<Status> {
		return await this.ask('status') as Status
	}

	close(): void {
		this.#socket.destroy()
	}

	#take(text: string): void {
		this.#buffer += text
		const end = this.#buffer.indexOf('\n')
		if (end < 0) {
			if (this.#buffer.length > ANSWER_MAX) this.#socket.destroy(new Error('an endless answer'))
			return
		}
		const line = this.#buffer.slice(0, end)
		this.#buffer = this.#buffer.slice(end + 1)
		this.#waiting?.resolve(line)
		this.#waiting = undefined
	}

	#fail(error: Error): void {
		this.#waiting?.reject(error)
		this.#waiting = undefined
	}
}

export interface Seen {
	readonly path: string
	readonly status: Status
}

/** Everybody who answers; path: only this one, which must. What the dead left says nothing. */
export async function askAll(path?: string): Promise<Seen[]> {
	if (path !== undefined) return [await askOne(path)]
	const asked = await Promise.allSettled(controlPaths().map(askOne))
	return asked.flatMap((one) => one.status === 'fulfilled' ? [one.value] : [])
}

async function askOne(path: string): Promise<Seen> {
	const client = new ControlClient(path)
	try {
		return { path, status: await client.status() }
	} finally {
		client.close()
	}
}
