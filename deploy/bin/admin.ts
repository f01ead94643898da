/** `npm run admin -- …`: the lines of `usage` below. */

import process from 'node:process'
import { exitConfig, readConfig } from '../config.ts'
import { loseDataFlag, takeBack } from '../migrate-command.ts'
import { ask } from './ask.ts'

const usage = `usage: npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics
       npm run admin -- agent create <e-mail> <first name> <last name> <team> [supervisor] | agent list
       npm run admin -- agent assign <e-mail> <organization id> [owner | support | observer] | agent dismiss <e-mail>
       npm run admin -- migrate down <n> [${loseDataFlag}], while nothing runs`
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
  ['migrate down', [1, 2]],
])

const words = process.argv.slice(2)
const length = [2, 1].find((n) => commands.has(words.slice(0, n).join(' '))) ?? 1
const [command, args] = [words.slice(0, length).join(' '), words.slice(length)]
if (!(commands.get(command)?.includes(args.length) ?? false)) {
  console.error(usage)
  process.exitCode = 64
} else {
  process.exitCode = command === 'migrate down' ? await migrateDown() : await ask(command, args)
}

/** The one command that no running process may answer. */
async function migrateDown(): Promise<number> {
  const result = readConfig()
  if ('errors' in result) {
    for (const line of result.errors) console.error(line)
    return exitConfig
  }
  try {
    await takeBack(result.config, args, (line) => console.log(line))
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 1
  }
}
