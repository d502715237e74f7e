// The image of qemu-arm64 as its owner meets it: power, console, keys, a connection from outside.

import { firmware, Bench } from '../support/firmware.ts'
import { HOST_PORT } from '../support/machine.ts'

const ADDRESS = /curvecp:\/\/([0-9a-f]{64})@10\.0\.2\.15:4000\/curvegate\?check=[0-9a-f]{8}/
const FIRST = new RegExp('This is its first start\\. Its address:\\n'
	+ `${ADDRESS.source}\\n[█▀▄ \\n]{800}`)
const NO_EXTENSION = '0'.repeat(32)
/** One line, then all that comes. */
const FETCH = 'echo >&7; exec 7>&-; cat <&6'

interface Keys {
	readonly servers: readonly { readonly publicKey: string, readonly keys: string }[]
}

firmware('curvecpclient')(
	'first start: keys, address and QR, a connection by NaCl\'s client; then the same keys',
	async (t) => {
		const bench = new Bench(t)
		t.is(bench.disk.readData('keys/publickey'), '', 'there is no key in the image')
		const machine = bench.power()
		const [, key] = await machine.until(FIRST)
		const client = bench.box.start(t, 'curvecpclient', ['-Q', 'curvegate', key!, '127.0.0.1',
			String(HOST_PORT), NO_EXTENSION, 'curvecpmessage', '-C', 'sh', '-c', FETCH])
		t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
		t.regex(client.stdout().toString(), /^HTTP\/1\.0 200 OK[^]*Curvegate/)

		const { servers } = await machine.ask<Keys>('keys')
		t.deepEqual(servers.map(({ publicKey }) => publicKey), [key!])
		await machine.ask('reboot')
		await machine.ended()
		t.deepEqual(bench.disk.slots.tries, { a: 3, b: 0 })

		const again = bench.power()
		t.is((await again.ask<Keys>('keys')).servers[0]!.publicKey, key!)
		t.notRegex(again.text, /first start/)
	})

firmware()('two boxes from one image have different keys', async (t) => {
	const keys = new Set<string>()
	for (let i = 0; i < 2; i++) {
		const machine = new Bench(t).power()
		keys.add((await machine.until(ADDRESS))[1]!)
		await machine.cutPower()
	}
	t.is(keys.size, 2)
})
