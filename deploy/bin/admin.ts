/** `npm run admin -- …`: the lines of `usage` below. */

import process from 'node:process'
import { ask } from './ask.ts'

const usage = `usage: npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics
       npm run admin -- agent create <e-mail> <first name> <last name> <team> [supervisor] | agent list
       npm run admin -- agent assign <e-mail> <organization id> [owner | support | observer] | agent dismiss <e-mail>`
/** Commands of one or two words, and how many arguments each takes. */
const commands = new Map([
  ['blocked', [0]],
  ['redrive', [2, 3]],
  ['dead-letters', [0]],
  ['topics', [0]],
  ['agent create', [4, 5]],
  ['agent list', [0]],
  ['agent assign', [2, 3]],
  ['agent dismiss', [1]],
])

const words = process.argv.slice(2)
const length = [2, 1].find((n) => commands.has(words.slice(0, n).join(' '))) ?? 1
const [command, args] = [words.slice(0, length).join(' '), words.slice(length)]
if (commands.get(command)?.includes(args.length) ?? false) {
  process.exitCode = await ask(command, args)
} else {
  console.error(usage)
  process.exitCode = 64
}
