// A serial line through the package serialport. Its reader spins when the other end hangs up, and
// never says so; asking for the modem's lines again and again makes the kernel tell. (Setting the
// speed would tell too, and throw away what is in the kernel's buffers.)

import type { SerialLine, SerialOptions } from './serial.ts'
import { causeOf, codeOf, Trouble } from './trouble.ts'

type Ports = typeof import('serialport').SerialPort
type Port = InstanceType<Ports>

/** For so long at most a line that hung up costs time. */
const ASK_MS = 250

/** EIO, ENXIO, ENODEV, EBADF. */
const GONE = /input\/output error|no such device|bad file descriptor/i

/** undefined: the package is not installed. */
export async function openPort(options: SerialOptions): Promise<SerialLine | undefined> {
	const { device: path, baud: baudRate } = options
	let Ports: Ports
	try {
		Ports = (await import('serialport')).SerialPort
	} catch (error) {
		// Its native half may be for another machine.
		if (error instanceof Error) return undefined
		throw error
	}
	const port = new Ports({ path, baudRate, autoOpen: false, hupcl: false })
	await new Promise<void>((resolve, reject) => {
		port.open((error) => {
			if (!(error instanceof Error)) return resolve()
			const held = /Cannot lock port/.test(error.message)
			reject(new Trouble('open', path, held ? 'another process has locked it' : causeOf(error),
				held ? 'EBUSY' : codeOf(error)))
		})
	})
	return new PortLine(port, options)
}

class PortLine implements SerialLine {
	readonly notes: readonly string[] = []
	readonly #port: Port
	readonly #asking: NodeJS.Timeout
	readonly #drained: () => void
	#closed: ((why: string) => void) | undefined

	constructor(port: Port, options: SerialOptions) {
		const { received, drained, closed } = options
		this.#port = port
		this.#drained = drained
		this.#closed = closed
		port.on('data', received)
		port.on('error', (error: Error) => this.#end(causeOf(error)))
		port.on('close', () => this.#end('it has hung up'))
		this.#asking = setInterval(() => {
			if (!port.isOpen) return
			port.get((error) => {
				// A driver without a modem's lines refuses in words of its own, and is alive.
				if (error instanceof Error && GONE.test(error.message)) this.#end('it has hung up')
			})
		}, ASK_MS).unref()
	}

	get waiting(): number {
		return this.#port.writableLength
	}

	write(bytes: Uint8Array): void {
		if (this.#port.isOpen) this.#port.write(Buffer.from(bytes), () => this.#drained())
	}

	close(): void {
		this.#closed = undefined
		this.#end('')
	}

	#end(why: string): void {
		clearInterval(this.#asking)
		if (this.#port.isOpen) this.#port.close(() => undefined)
		const closed = this.#closed
		this.#closed = undefined
		closed?.(why)
	}
}
