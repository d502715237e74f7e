// From a name's service to the one that runs for a connection.

import { AbsentService, DiscardService, EchoService } from './builtin.ts'
import { ProgramService } from './exec.ts'
import { checkProgram } from './programs.ts'
import type { Service, ServiceContext } from './service.ts'
import { SocketService } from './socket.ts'
import type { ServiceSpec } from './spec.ts'
import { WelcomeService } from './welcome.ts'

export function startService(spec: ServiceSpec, context: ServiceContext): Service {
	switch (spec.kind) {
		case 'tcp':
		case 'unix': return new SocketService(spec, context)
		case 'exec':
		case 'handler': return new ProgramService(spec, context)
		case 'echo': return new EchoService(context.stream)
		case 'discard': return new DiscardService(context.stream)
		case 'welcome': return new WelcomeService(context)
		case 'console': return context.console?.(context) ?? new AbsentService(context)
	}
}

/** What can be known to fail before a client comes; throws Trouble. */
export function checkService(spec: ServiceSpec): void {
	if (spec.kind !== 'exec' && spec.kind !== 'handler') return
	if (spec.inherited === undefined) checkProgram(spec.words[0]!)
}
