// A process whose console takes updates, on a serial line and as the service console, for a device
// in memory. Usage: update-console.js CONFIGURATION [HOLD]; prints its addresses, and each start of
// an update. The first piece from byte HOLD on is taken and not answered, and "held" is printed: so
// the line can be pulled in the middle of a transfer, however fast it is.

import { consoleOver } from '../../src/console/over-curvecp.ts'
import { Notices } from '../../src/console/host.ts'
import { SerialConsole } from '../../src/console/serial-console.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { systemTimers } from '../../src/platform/timers.ts'
import { loadConfig } from '../../src/service/config.ts'
import { stderrLog } from '../../src/service/log.ts'
import { startRun } from '../../src/service/run.ts'
import { servedNames } from '../../src/service/served.ts'
import type { StartConsole } from '../../src/service/service.ts'
import { updateBox } from './update-box.ts'
import { MemoryDevice } from './update-place.ts'

const config = await loadConfig(process.argv[2]!)
const log = stderrLog('info', 'text')
const started: string[] = []
const commands = updateBox(new MemoryDevice(8 << 20), started)
const take = commands.get('update-data')!
let holdAt = Number(process.argv[3] ?? Infinity)
commands.set('update-data', async (request) => {
	const answer = await take(request)
	if (Number(request['at']) < holdAt) return answer
	holdAt = Infinity
	console.log('held')
	return new Promise(() => {})
})
const host = {
	commands, timers: systemTimers, log,
	notices: new Notices(),
	greeting: () => ['a device of a test'],
	facts: async () => ({ names: [], configKeys: [] }),
}
const startConsole: StartConsole = consoleOver(host)
const run = await startRun({
	config, platform: await openPlatform(), log, console: startConsole,
})
const serial = new SerialConsole(config.console, host)
for (const { address } of servedNames(run)) console.log(address)
setInterval(() => {
	for (const part of started.splice(0)) console.log(`started ${part}`)
}, 20).unref()
process.on('SIGTERM', () => {
	serial.stop()
	run.stopNow()
})
await run.stopped
process.exit(0)
