import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Trouble } from '../../../../src/platform/trouble.ts'
import { readDevice, type Device } from '../../../../src/service/firmware/device.ts'
import { makeFolder } from '../../../support/processes.ts'

const DEVICE: Device = {
	board: 'qemu-arm64', version: '0.1.0', built: 1, slot: 'a', bootloader: 'u-boot',
	disk: '/dev/vda', boot: { a: '/dev/vda2', b: '/dev/vda3' },
	root: { a: '/dev/vda5', b: '/dev/vda6' },
	app: '/data/app', state: '/dev/vda8', first: '/dev/vda1', data: '/dev/vda7', dataState: 'ok',
}

test('what the image says of itself is read; another machine says nothing', (t) => {
	const path = join(makeFolder(t), 'slots.json')
	t.is(readDevice(path), undefined)
	writeFileSync(path, JSON.stringify(DEVICE))
	t.deepEqual(readDevice(path), DEVICE)
})

test('what is not whole is trouble', (t) => {
	const path = join(makeFolder(t), 'slots.json')
	for (const text of ['', '{', '[]', 'null', JSON.stringify({ ...DEVICE, slot: 'c' })]) {
		writeFileSync(path, text)
		const error = t.throws(() => readDevice(path), { instanceOf: Trouble })
		t.true(error.message.startsWith(`unable to understand ${path}: `))
	}
})
