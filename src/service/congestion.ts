// Which congestion control new connections get: CUBIC, or for comparisons the reference's own, with
// CURVEGATE_CONGESTION=chicago.

import { ChicagoControl } from '../message/congestion/chicago-control.ts'
import type { ControllerFactory } from '../message/congestion/controller.ts'
import { Cubic } from '../message/congestion/cubic.ts'
import { Usage } from '../platform/trouble.ts'

export const control: ControllerFactory = factoryOf(process.env['CURVEGATE_CONGESTION'] ?? '')

function factoryOf(name: string): ControllerFactory {
	if (name === 'chicago') return (random, now) => new ChicagoControl(random, now)
	if (name === '' || name === 'cubic') return () => new Cubic()
	throw new Usage(`CURVEGATE_CONGESTION '${name}': expected cubic or chicago`)
}
