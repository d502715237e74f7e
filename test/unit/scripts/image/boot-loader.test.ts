import test from 'ava'
import { headless } from '../../../../scripts/image/boot-loader.ts'
import { Trouble } from '../../../../src/platform/trouble.ts'

const VARIABLES = ['bootcmd=run distro_bootcmd', 'bootdelay=2', 'baudrate=115200',
	'boot_targets=qfw usb0 virtio0 pxe dhcp ', 'bootcmd_pxe=dhcp; if pxe get; then pxe boot; fi',
	'bootcmd_virtio0=devnum=0; run virtio_boot', 'bootcmd_dhcp=devtype=dhcp; if dhcp; then a=b; fi',
	'distro_bootcmd=for target in ${boot_targets}; do run bootcmd_${target}; done']

function loader(variables: readonly string[]): Buffer {
	const text = variables.join('\0')
	return Buffer.from(`code\xff\0no bootdelay=2 \0${text}\0\0\0 more\0code`, 'latin1')
}

test('no byte on the line stops the boot, the network starts nothing, no prompt ends it', (t) => {
	const before = loader(VARIABLES)
	const after = headless(before)
	t.is(after.length, before.length)
	const text = after.toString('latin1')
	t.deepEqual(text.split('\0').filter((part) => part.includes('=')), ['no bootdelay=2 ',
		'bootcmd=run distro_bootcmd; reset', 'bootdelay=-2', 'baudrate=115200',
		'boot_targets=qfw usb0 virtio0 ', VARIABLES[5]!, VARIABLES[7]!])
	t.true(text.startsWith('code\xff\0') && text.endsWith('\0\0\0 more\0code'))
	t.is(text.indexOf('\0\0 more'), before.toString('latin1').indexOf('\0\0 more'))
})

test('a boot loader that is made otherwise is refused, not changed by luck', (t) => {
	const twice = Buffer.concat([loader(VARIABLES), loader(VARIABLES)])
	for (const other of [Buffer.from('other'), twice, loader(VARIABLES).subarray(0, 60)]) {
		t.throws(() => headless(other), { instanceOf: Trouble, message: /is not where it was/ })
	}
	t.throws(() => headless(loader(VARIABLES.slice(0, 3))), { message: /has no room/ })
})
