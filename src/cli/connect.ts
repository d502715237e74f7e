// curvegate connect: a server's stream on stdin and stdout, for a program, or for TCP clients.

import { spawn, type ChildProcess } from 'node:child_process'
import { fstatSync } from 'node:fs'
import net from 'node:net'
import { Readable, Writable } from 'node:stream'
import { assert } from '../base/assert.ts'
import { toHex } from '../base/hex.ts'
import { CLIENT_CONNECTIONS_MAX } from '../limits.ts'
import { FileSource } from '../platform/file-source.ts'
import {
	EXIT_DONE, EXIT_TROUBLE, Trouble, causeOf, troubleOf,
} from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { percentEncode, type Address } from '../service/address.ts'
import type { Client, ClientConnection } from '../service/client.ts'
import { feed } from '../service/feed.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'
import type { Run } from './command.ts'
import { readEndpoint, type Endpoint } from './values.ts'

export const run: Run = async (args: Arguments) => {
	const listen = args.value('listen', readEndpoint)
	const connections = listen === undefined ? 1 : CLIENT_CONNECTIONS_MAX
	const { client, address } = await openClient(args, connections)
	try {
		const words = args.texts('exec')
		if (listen !== undefined) return await serveTcp(client, listen)
		if (words !== undefined) return await runProgram(client, address, words)
		return await joinStdio(client, address)
	} finally {
		client.close()
	}
}

/** As a ProxyCommand of ssh. Bytes that wait on stdin travel in the first packet. */
async function joinStdio(client: Client, address: Address): Promise<number> {
	const connection = await client.open(() => {})
	const { stdout } = process
	let isRead = true
	stdout.on('error', () => {
		isRead = false
		connection.abort()
	})
	const close = fstatSync(0).isFile() ? joinFile(connection, stdout) : joinStdin(connection, stdout)
	giveUpOnSignals(connection)
	await connection.over
	close()
	// Whoever reads us may stop: that is no fault to tell.
	return isRead ? settle(connection, address) : EXIT_TROUBLE
}

function joinStdin(connection: ClientConnection, stdout: Writable): () => void {
	const { stdin } = process
	const pump = connection.join(stdin, stdout)
	feed(stdin, pump)
	// Nobody waits for what might still be typed.
	return () => stdin.destroy()
}

function joinFile(connection: ClientConnection, stdout: Writable): () => void {
	const source = new FileSource(0, {
		take: (p, n) => pump.take(p, n, false),
		end: () => pump.finish('success'),
		failed: () => pump.finish('failure'),
	})
	const pump = connection.join(source, stdout)
	source.resume()
	return () => source.close()
}

/** PROG has the connection on descriptors 6 and 7, as with NaCl's tools; its exit code is ours. */
async function runProgram(
	client: Client, address: Address, words: readonly string[],
): Promise<number> {
	let child: ChildProcess | undefined
	let exit: number | undefined
	let exited = (): void => {}
	const ended = new Promise<void>((done) => {
		exited = done
	})
	const connection = await client.open((one) => {
		if (child !== undefined || one.endpoint.state !== 'established') return
		child = startProgram(words, one, address)
		child.once('error', (error) => {
			process.stderr.write(`curvegate connect: unable to run ${words[0]}: ${causeOf(error)}\n`)
			exit = EXIT_TROUBLE
			one.abort()
			exited()
		})
		child.once('exit', (code) => {
			exit = code ?? EXIT_TROUBLE
			exited()
		})
	})
	giveUpOnSignals(connection)
	await connection.over
	if (child === undefined) return settle(connection, address)
	await ended
	return exit ?? EXIT_TROUBLE
}

function startProgram(
	words: readonly string[], connection: ClientConnection, address: Address,
): ChildProcess {
	const { endpoint } = connection
	const host = endpoint.hosts[endpoint.winner]!
	const child = spawn(words[0]!, words.slice(1), {
		stdio: ['inherit', 'inherit', 'inherit', 'ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
		env: {
			...process.env,
			PROTO: 'CURVECP',
			CURVECPREMOTEIP: addressText(host.address),
			CURVECPREMOTEPORT: String(host.port),
			CURVECPREMOTEEXT: toHex(address.extension),
			CURVECPREMOTEPK: toHex(endpoint.serverKey),
			CURVECPSERVERNAME: percentEncode(address.name),
		},
	})
	if (child.pid === undefined) return child
	const pipes: readonly (Readable | Writable | null | undefined)[] = child.stdio
	const [sink, source] = [pipes[6], pipes[7]]
	assert(sink instanceof Writable && source instanceof Readable, 'its pipes were asked for')
	const pump = connection.join(source, sink)
	feed(source, pump)
	sink.on('error', () => pump.deaf())
	// A program that is gone reads no more, whoever may still hold its descriptors.
	child.once('exit', () => pump.deaf())
	return child
}

function giveUpOnSignals(connection: ClientConnection): void {
	for (const signal of ['SIGTERM', 'SIGINT'] as const) {
		process.once(signal, () => connection.abort())
	}
}

function settle(connection: ClientConnection, address: Address): number {
	const { fault } = connection
	if (fault === undefined) return EXIT_DONE
	throw new Trouble('reach', `${address.hosts.join(', ')}, port ${address.port}`, fault)
}

async function serveTcp(client: Client, listen: Endpoint): Promise<number> {
	const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
	server.maxConnections = CLIENT_CONNECTIONS_MAX
	server.on('connection', (socket) => {
		void joinSocket(client, socket)
	})
	await new Promise<void>((resolve, reject) => {
		server.once('error', (error) => {
			reject(troubleOf('listen on', `${listen.ip}:${listen.port}`, error))
		})
		server.listen(listen.port, listen.ip, resolve)
	})
	const place = server.address()
	if (place !== null && typeof place === 'object') {
		process.stdout.write(`${place.address}:${place.port}\n`)
	}
	await new Promise<void>((resolve) => {
		for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve)
	})
	server.close()
	return EXIT_DONE
}

async function joinSocket(client: Client, socket: net.Socket): Promise<void> {
	socket.on('error', () => {})
	try {
		const connection = await client.open(() => {})
		const pump = connection.join(socket, socket)
		feed(socket, pump)
		socket.on('close', (failed: boolean) => {
			if (failed) pump.finish('failure')
			pump.deaf()
		})
		await connection.over
		if (connection.fault === undefined) socket.end()
		else {
			process.stderr.write(`curvegate connect: ${connection.fault}\n`)
			socket.resetAndDestroy()
		}
	} catch (error) {
		process.stderr.write(`curvegate connect: ${causeOf(error)}\n`)
		socket.resetAndDestroy()
	}
}
