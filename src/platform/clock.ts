// The one clock of the program: nanoseconds since a moment of its own, never backwards, never the
// wall clock. A double holds nanoseconds exactly for 104 days and to 2 ns for a year.

import { performance } from 'node:perf_hooks'
import type { Nanos } from '../base/time.ts'

export type Clock = () => Nanos

/** Above 2^31 from the first moment: no time is a small integer. See ZERO in base/time.ts. */
const START: Nanos = 2 ** 32

export const now: Clock = () => START + Math.round(performance.now() * 1e6)
