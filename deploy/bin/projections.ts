/** `npm run projections -- status | rebuild <name> | rebuild all` */

import process from 'node:process'
import { ask } from './ask.ts'

const usage = 'usage: npm run projections -- status | rebuild <name> | rebuild all'
/** Commands, and how many arguments each takes. */
const commands = new Map([
  ['status', 0],
  ['rebuild', 1],
])

const [command = '', ...args] = process.argv.slice(2)
if (commands.get(command) === args.length) {
  process.exitCode = await ask(`projections ${command}`, args)
} else {
  console.error(usage)
  process.exitCode = 64
}
