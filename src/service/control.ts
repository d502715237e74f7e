// The control socket: requests and answers as lines of JSON, for `curvegate status` and other tools
// of the owner. {"id":1,"cmd":"status"} is answered by {"id":1,"result":{…}} or
// {"id":1,"error":"…"}. Everything is bounded, and who reads slowly waits for himself alone.

import { rmSync } from 'node:fs'
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { causeOf, Trouble } from '../platform/trouble.ts'
import { answerTo, type Commands } from './control-commands.ts'
import { bindPrivately, prepareFolder } from './control-place.ts'
import type { Log } from './log.ts'

/** Who may ask at once; what one line may hold; how long one may be silent, or not read. */
const CLIENTS_MAX = 8
const REQUEST_MAX = 4096
const IDLE_MS = 60_000
const UNREAD_MS = 10_000

export interface Control {
	readonly path: string
	close(): void
}

/** A socket that has its name; who connects waits until there is somebody to answer. */
export interface BoundControl extends Control {
	answer(commands: Commands): void
}

/** undefined: it could not be made, which is a warning and no more. */
export async function openControl(
	wanted: string, commands: Commands, log: Log,
): Promise<Control | undefined> {
	const control = await bindControl(wanted, log)
	control?.answer(commands)
	return control
}

/** For a process that is about to become another user: its place is that of the first. */
export async function bindControl(wanted: string, log: Log): Promise<BoundControl | undefined> {
	try {
		prepareFolder(wanted)
		return await listen(wanted, log)
	} catch (error) {
		const cause = error instanceof Trouble ? error.message : `${wanted}: ${causeOf(error)}`
		log.say('warn', 'no-control-socket', { cause, cost: 'curvegate status cannot see us' })
		return undefined
	}
}

async function listen(wanted: string, log: Log): Promise<BoundControl> {
	const clients = new Set<Socket>()
	let commands: Commands | undefined
	const server = createServer((socket) => {
		clients.add(socket)
		socket.once('close', () => clients.delete(socket))
		if (commands !== undefined) serve(socket, commands, log)
	})
	server.maxConnections = CLIENTS_MAX
	const path = await bindPrivately(wanted, async (made) => await bind(server, made))
		.catch((error: unknown) => {
			// Bound, but without a name: nobody could ever ask.
			server.close()
			throw error
		})
	server.on('error', (error) => log.say('warn', 'control-socket', { cause: causeOf(error) }))
	server.unref()
	return {
		path,
		answer: (all) => {
			commands = all
			for (const socket of clients) serve(socket, all, log)
		},
		close: () => {
			server.close()
			for (const socket of clients) socket.destroy()
			try {
				rmSync(path, { force: true })
			} catch {
				// Another user now: the next process of that name replaces it.
			}
		},
	}
}

async function bind(server: NetServer, path: string): Promise<void> {
	const listening = new Promise<void>((resolve, reject) => {
		server.once('error', reject)
		server.once('listening', resolve)
	})
	server.listen(path)
	await listening
}

/** One request after the other: while an answer waits to be read, no other is made. */
function serve(socket: Socket, commands: Commands, log: Log): void {
	let buffer = ''
	let busy = false
	socket.setEncoding('utf8')
	socket.setTimeout(IDLE_MS, () => socket.destroy())
	// Whoever asked may be gone: that is no fault of ours to tell.
	socket.on('error', () => socket.destroy())
	socket.on('data', (text: string) => {
		buffer += text
		if (!busy) void next()
	})
	const next = async (): Promise<void> => {
		busy = true
		socket.pause()
		for (let end = buffer.indexOf('\n'); end >= 0; end = buffer.indexOf('\n')) {
			const line = buffer.slice(0, end)
			buffer = buffer.slice(end + 1)
			const answer = line.length > REQUEST_MAX ? tooLong() : await answerTo(line, commands, log)
			if (!await send(socket, `${answer}\n`)) return
		}
		if (buffer.length > REQUEST_MAX) {
			await send(socket, `${tooLong()}\n`)
			socket.destroy()
			return
		}
		busy = false
		socket.resume()
	}
}

function tooLong(): string {
	const error = `a request is one line of at most ${REQUEST_MAX} bytes`
	return JSON.stringify({ id: null, error })
}

/** When the kernel has all of it; false: the reader is gone, or has read nothing for too long. */
async function send(socket: Socket, text: string): Promise<boolean> {
	return await new Promise((done) => {
		if (socket.destroyed) return done(false)
		const late = setTimeout(() => socket.destroy(), UNREAD_MS)
		const end = (well: boolean): void => {
			clearTimeout(late)
			socket.removeListener('close', gone)
			done(well)
		}
		const gone = (): void => end(false)
		socket.once('close', gone)
		socket.write(text, (error) => end(error === undefined || error === null))
	})
}
