// Strangers at both ends, our gateway between them, every datapath: NaCl's curvecpclient in `away`
// and `far`, NaCl's curvecpserver in `one` and `two` (drawing: test/support/gateway-site.ts).

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
	EXT_ONE, EXT_TWO, makeSite, randomInput, startGatewayProcess, startStranger, talk,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'

const NEEDS = ['linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient']
const strangers = needs(...NEEDS)

for (const datapath of ['nftables', 'packet', 'raw', 'relay']) {
	const declare = datapath === 'raw' ? needs(...NEEDS, 'raw-socket') : strangers
	declare(`${datapath}: two servers, one on another port, four clients at once, both ways`,
		async (t) => {
		const site = makeSite(t)
		const routes = join(site.folder, 'routes')
		writeFileSync(routes,
			`# the site\n${EXT_ONE} 10.77.0.2\n${EXT_TWO} 10.77.0.3:5000 # another port\n`)
		const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
		const two = await startStranger(t, site.two, '10.77.0.3', 5000, EXT_TWO)
		const gateway = await startGatewayProcess(t, site, datapath, ['--routes', routes])
		const input = randomInput(100_000)
		const back = await Promise.all([
			talk(t, site.away, one.publicKey, EXT_ONE, input),
			talk(t, site.away, two.publicKey, EXT_TWO, input),
			talk(t, site.far, one.publicKey, EXT_ONE, input),
			talk(t, site.far, two.publicKey, EXT_TWO, input),
		])
		for (const output of back) t.true(output.equals(input),
			`${output.length} bytes of ${input.length}`)
		gateway.signal('SIGTERM')
		t.deepEqual(await gateway.ended, { code: 0, signal: null })
		t.is(site.gw.run('nft', 'list', 'ruleset').trim(), '', 'nothing is left')
		t.regex(site.gw.run('ip', 'rule'), /^0:.*\n32766:.*\n32767:.*\n$/)
	})
}
