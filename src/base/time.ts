// Time as a plain number: nanoseconds since the process's own monotonic start. Never a wall clock.

export type Nanos = number

export const MICROSECOND: Nanos = 1e3
export const MILLISECOND: Nanos = 1e6
export const SECOND: Nanos = 1e9

/** What wakeAt says when only input can change anything. */
export const NEVER: Nanos = Infinity

// Where fields begin that will hold fractions or more than 31 bits. One that begins as a small
// integer changes its kind with the first such value, and code that knew it is compiled anew.
export const ZERO = -0
/** Before every time. */
export const BEFORE: Nanos = -0.5
