// The service welcome: what a newcomer's first curl through the tunnel shows. HTTP/1.0, one short
// page of text about this server; an empty line, or an end without a word, is answered like a
// request for /.

import { VERSION } from '../base/version.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import { WELCOME_HEAD_BYTES } from '../limits.ts'
import type { Facts, Peer, Service, ServiceContext } from './service.ts'

export class WelcomeService implements Service {
	readonly #context: ServiceContext
	#head = ''
	#answer: Uint8Array | undefined
	#answerAt = 0
	#done = false

	constructor(context: ServiceContext) {
		this.#context = context
	}

	advance(now: Nanos): void {
		const { stream, peer, facts } = this.#context
		if (this.#done) return
		if (this.#answer === undefined) {
			this.#readHead(now)
			if (!isComplete(this.#head) && stream.incomingEnd === 'open') return
			if (stream.incomingEnd === 'failure') {
				this.#done = true
				stream.fail(now)
				return
			}
			this.#answer = new TextEncoder().encode(answer(this.#head, () => page(peer, facts())))
			stream.discardIncoming(now)
		}
		const left = this.#answer.length - this.#answerAt
		this.#answerAt += stream.write(this.#answer, this.#answerAt, left, now)
		if (this.#answerAt < this.#answer.length) return
		this.#done = true
		stream.end(now)
	}

	over(): void {}

	#readHead(now: Nanos): void {
		const { stream } = this.#context
		while (stream.readable > 0 && !isComplete(this.#head)) {
			const n = Math.min(stream.peekLength, WELCOME_HEAD_BYTES - this.#head.length)
			const bytes = stream.peekBytes.subarray(stream.peekAt, stream.peekAt + n)
			this.#head += Buffer.from(bytes).toString('latin1')
			stream.consume(n, now)
		}
	}
}

/** An empty line ends it; so does more than anybody has to say. */
function isComplete(head: string): boolean {
	return head.length >= WELCOME_HEAD_BYTES || /^\r?\n|\n\r?\n/.test(head)
}

/** The whole response to a request's head. */
export function answer(head: string, makePage: () => string): string {
	if (head.length >= WELCOME_HEAD_BYTES) {
		return respond('431 Request Header Fields Too Large', 'That was too long.\n', true)
	}
	const line = /^[^\r\n]*/.exec(head)![0]
	if (line === '') return respond('200 OK', makePage(), true)
	const [, method, path] = /^([A-Z]+) (\S+)(?: HTTP\/\d(?:\.\d)?)?$/.exec(line) ?? []
	if (method === undefined) return respond('400 Bad Request', 'This is a page over HTTP.\n', true)
	const withBody = method !== 'HEAD'
	if (method !== 'GET' && withBody) {
		const text = 'There is only a page to GET.\n'
		return respond('405 Method Not Allowed', text, true, 'Allow: GET, HEAD')
	}
	if (!/^(?:http:\/\/[^/]*)?\/?(?:\?.*)?$/.test(path!)) {
		return respond('404 Not Found', 'There is only one page here: /\n', withBody)
	}
	return respond('200 OK', makePage(), withBody)
}

function respond(status: string, body: string, withBody: boolean, ...lines: string[]): string {
	const head = [
		`HTTP/1.0 ${status}`, 'Content-Type: text/plain; charset=utf-8',
		`Content-Length: ${Buffer.byteLength(body)}`, 'Cache-Control: no-store', 'Connection: close',
		...lines,
	]
	return `${head.join('\r\n')}\r\n\r\n${withBody ? body : ''}`
}

export function page(peer: Peer, facts: Facts): string {
	const now = facts.connections === 1 ? '1 connection' : `${facts.connections} connections`
	return `
   Welcome. This page came to you through CurveCP:
   every packet encrypted and authenticated, from your machine to this one.

     server name    ${peer.serverName}
     your key       ${peer.key}
     your address   ${peer.ip}:${peer.port}
     server         Curvegate ${VERSION}, up ${duration(facts.uptimeNanos)}
     load           ${now} now, ${facts.opened} since start

   Next, a service of your own:
     curvegate server --serve ssh.example=tcp:127.0.0.1:22

`
}

function duration(nanos: Nanos): string {
	const seconds = Math.floor(nanos / SECOND)
	const units = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]] as const
	for (const [name, length] of units) {
		const count = Math.floor(seconds / length)
		if (count > 0) return `${count} ${name}${count === 1 ? '' : 's'}`
	}
	return 'less than a second'
}
