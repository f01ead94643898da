/** `npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics` */

import process from 'node:process'
import { ask } from './ask.ts'

const usage = 'usage: npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics'
/** Commands, and how many arguments each takes. */
const commands = new Map([
  ['blocked', [0]],
  ['redrive', [2, 3]],
  ['dead-letters', [0]],
  ['topics', [0]],
])

const [command = '', ...args] = process.argv.slice(2)
if (commands.get(command)?.includes(args.length) ?? false) {
  process.exitCode = await ask(command, args)
} else {
  console.error(usage)
  process.exitCode = 64
}
