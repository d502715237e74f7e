import test from 'ava'
import { isFault, readService, serviceText, type ServiceSpec } from '../../../src/service/spec.ts'

const reads = test.macro({
	exec(t, source: string | readonly string[], spec: ServiceSpec) {
		t.deepEqual(readService(source), spec)
		if (typeof source !== 'string' || /['"\\]/.test(source)) return
		t.is(serviceText(spec), source)
	},
	title: (_, source) => `service ${JSON.stringify(source)}`,
})

test(reads, 'tcp:127.0.0.1:22', { kind: 'tcp', host: '127.0.0.1', port: 22 })
test(reads, 'tcp:mail.example:65535', { kind: 'tcp', host: 'mail.example', port: 65_535 })
test(reads, 'tcp:[::1]:80', { kind: 'tcp', host: '::1', port: 80 })
test(reads, 'unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' })
test(reads, 'unix:a:b', { kind: 'unix', path: 'a:b' })
test(reads, 'exec:cat -u', { kind: 'exec', words: ['cat', '-u'] })
test(reads, "exec:sh -c 'a b'", { kind: 'exec', words: ['sh', '-c', 'a b'] })
test(reads, 'handler:curvecpmessage cat', { kind: 'handler', words: ['curvecpmessage', 'cat'] })
test(reads, 'echo', { kind: 'echo' })
test(reads, 'discard', { kind: 'discard' })
test(reads, 'welcome', { kind: 'welcome' })
test(reads, ['exec', 'cat', 'a b', ''], { kind: 'exec', words: ['cat', 'a b', ''] })
test(reads, ['exec:cat', '|'], { kind: 'exec', words: ['cat', '|'] })
test(reads, ['handler', 'h'], { kind: 'handler', words: ['h'] })

const refuses = test.macro({
	exec(t, source: string | readonly string[], at: number, message: RegExp) {
		const fault = readService(source)
		if (!isFault(fault)) return t.fail(`taken for ${serviceText(fault)}`)
		t.is(fault.at, at)
		t.regex(fault.message, message)
	},
	title: (_, source) => `no service ${JSON.stringify(source)}`,
})

test(refuses, '', 1, /expected tcp:HOST:PORT, unix:PATH/)
test(refuses, 'ftp:x', 1, /found 'ftp:x'/)
test(refuses, 'Echo', 1, /echo, discard, welcome/)
test(refuses, 'echo:x', 5, /stands alone/)
test(refuses, 'tcp', 1, /tcp:127\.0\.0\.1:22/)
test(refuses, 'tcp:22', 5, /tcp:HOST:PORT/)
test(refuses, 'tcp::22', 5, /no name and no address/)
test(refuses, 'tcp:::1:22', 5, /no name and no address/)
test(refuses, 'tcp:h:0', 7, /'0' is no port/)
test(refuses, 'tcp:h:65536', 7, /no port/)
test(refuses, 'tcp:h:x', 7, /no port/)
test(refuses, 'unix:', 6, /unix:PATH/)
test(refuses, `unix:/${'x'.repeat(107)}`, 6, /107 bytes/)
test(refuses, 'exec:', 6, /needs a command/)
test(refuses, 'exec:  ', 6, /needs a command/)
test(refuses, 'exec:\'\'', 6, /needs a command/)
test(refuses, 'exec:cat | wc', 10, /'\|'/)
test(refuses, ['exec'], 1, /needs a command/)
test(refuses, ['cat'], 1, /starts with 'exec'/)
test(refuses, [], 1, /starts with 'exec'/)
