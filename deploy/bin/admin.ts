/** `npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics`: asks the process that holds DATA_DIR. */

import process from 'node:process'
import { askAdmin } from '../admin-socket.ts'
import { exitConfig, readConfig } from '../config.ts'

const usage = 'usage: npm run admin -- blocked | redrive <application> <key> [skip] | dead-letters | topics'

async function main(): Promise<number> {
  const [command = '', ...args] = process.argv.slice(2)
  if (!['blocked', 'redrive', 'dead-letters', 'topics'].includes(command)) {
    console.error(usage)
    return 64
  }
  const result = readConfig()
  if ('errors' in result) {
    for (const line of result.errors) console.error(line)
    return exitConfig
  }
  try {
    await askAdmin(result.config.dataDir, { command, args }, (line) => console.log(line))
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 1
  }
}

process.exitCode = await main()
