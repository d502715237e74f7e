// `make sim`: what gets through per loss × round-trip time, and how flows share. [SEED] as
// argument.

import { fairnessTable, lossTable, tcpTable } from './grid.ts'

const seed = Number(process.argv[2] ?? 1)
console.log(`seed ${seed}; share of a path of 100 Mbit/s that one flow fills, over 30 s`)
console.log(lossTable({ megabits: 100, seconds: 30, seed }))
console.log('\nflows that share 100 Mbit/s at 50 ms, over 60 s')
console.log(fairnessTable({ megabits: 100, seconds: 60, rttMillis: 50, seed }, [2, 4, 8, 16, 32]))
console.log('\nours beside as many of TCP (CUBIC), 60 s: our bytes for each of theirs')
console.log(tcpTable({ megabits: 100, seconds: 60, seed }))
