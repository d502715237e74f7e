import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { answer, page } from '../../../src/service/welcome.ts'

const PEER = {
	key: '5a'.repeat(32), ip: '192.0.2.7', port: 4711, extension: '00'.repeat(16),
	serverName: 'localhost',
}

const status = test.macro({
	exec(t, head: string, expected: string) {
		const text = answer(head, () => 'the page\n')
		const [line, ...rest] = text.split('\r\n')
		t.is(line, `HTTP/1.0 ${expected}`)
		const length = rest.find((one) => one.startsWith('Content-Length: '))!.slice(16)
		const body = text.slice(text.indexOf('\r\n\r\n') + 4)
		if (head.startsWith('HEAD')) t.is(body, '')
		else t.is(Buffer.byteLength(body), Number(length))
	},
	title: (_, head: string) => `answer to ${JSON.stringify(head.slice(0, 40))}`,
})

test(status, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', '200 OK')
test(status, 'GET / HTTP/1.0\n\n', '200 OK')
test(status, 'GET http://127.0.0.1:8080/?q HTTP/1.1\r\n\r\n', '200 OK')
test(status, 'HEAD / HTTP/1.1\r\n\r\n', '200 OK')
test(status, '\n', '200 OK')
test(status, '\r\n', '200 OK')
test(status, '', '200 OK')
test(status, 'GET /favicon.ico HTTP/1.1\r\n\r\n', '404 Not Found')
test(status, 'POST / HTTP/1.1\r\n\r\n', '405 Method Not Allowed')
test(status, 'hello\n\n', '400 Bad Request')
test(status, 'SSH-2.0-OpenSSH\r\n\r\n', '400 Bad Request')
test(status, 'x'.repeat(8192), '431 Request Header Fields Too Large')

test('the page', (t) => {
	t.snapshot(page(PEER, { uptimeNanos: 3 * 86_400 * SECOND, connections: 1, opened: 17 }))
})

test('the page of a young server', (t) => {
	const text = page(PEER, { uptimeNanos: SECOND / 2, connections: 2, opened: 2 })
	t.regex(text, /up less than a second/)
	t.regex(text, /2 connections now, 2 since start/)
})
