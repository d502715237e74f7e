import { randomBytes } from 'node:crypto'
if (process.argv[2] === 'x') console.log(randomBytes(4))
