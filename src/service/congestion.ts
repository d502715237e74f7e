// Which congestion control new connections get: CUBIC, or for comparisons the reference's own, with
// CURVEGATE_CONGESTION=chicago.

import { ChicagoControl } from '../message/congestion/chicago-control.ts'
import type { ControllerFactory } from '../message/congestion/controller.ts'
import { Cubic } from '../message/congestion/cubic.ts'

export const control: ControllerFactory = process.env['CURVEGATE_CONGESTION'] === 'chicago'
	? (random, now) => new ChicagoControl(random, now)
	: () => new Cubic()
