// The one clock of the program: nanoseconds since this process's start, never backwards, never the
// wall clock. A double holds nanoseconds exactly for 104 days and to 2 ns for a year.

import { performance } from 'node:perf_hooks'
import type { Nanos } from '../base/time.ts'

export type Clock = () => Nanos

export const now: Clock = () => Math.round(performance.now() * 1e6)
