// Both platforms when the world refuses: an interface that is down, a firewall, no route, a full
// send buffer. In a network namespace that lives as long as the child.

import { execFileSync } from 'node:child_process'
import { needs } from '../support/needs.ts'
import type { Observed } from './platform-child.ts'

const check = needs('linux', 'root', 'netns', 'ip', 'nft', 'tc', '/dev/net/tun')

for (const platform of ['linux', 'portable']) {
	check(`${platform}: refused datagrams are counted by name, a full socket loses nothing`, (t) => {
		const child = 'build/out/test/netns/platform-child.js'
		const args = ['--net', process.execPath, child, platform]
		const seen: Observed = JSON.parse(execFileSync('unshare', args, { encoding: 'utf8' }))
		t.deepEqual(seen.unroutable, { ENETUNREACH: 4 })
		t.deepEqual(seen.forbidden, { EPERM: 4 })
		t.deepEqual(seen.down, { ENETUNREACH: 4 })
		// The kernel keeps it to itself, as it would keep a loss further on: the sender goes on.
		t.deepEqual(seen.crowded, {})
		t.true(seen.passed > 0 && seen.passed < 64, `${seen.passed} of 64 from a full device`)
		t.true(seen.takenAtOnce < 256, 'the send buffer was full now and then')
		t.deepEqual(seen.counted, {})
		t.deepEqual(seen.numbers, Array.from({ length: 256 }, (_, i) => i))
		// A run does not fit: its datagrams go one by one, in fragments.
		const said = Object.entries(seen.narrow).map(([name, n]) => `${n} ${name}`).join()
		t.regex(said, platform === 'linux' ? /^1 segments (EINVAL|EMSGSIZE)$/ : /^$/)
		t.is(seen.pieces, 64)
	})
}
