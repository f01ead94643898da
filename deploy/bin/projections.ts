/** `npm run projections -- status | rebuild <name> | rebuild all`: asks the process that holds DATA_DIR. */

import process from 'node:process'
import { askAdmin } from '../admin-socket.ts'
import { exitConfig, readConfig } from '../config.ts'

const usage = 'usage: npm run projections -- status | rebuild <name> | rebuild all'

async function main(): Promise<number> {
  const [command = '', ...args] = process.argv.slice(2)
  if (!(command === 'status' && args.length === 0) && !(command === 'rebuild' && args.length === 1)) {
    console.error(usage)
    return 64
  }
  const result = readConfig()
  if ('errors' in result) {
    for (const line of result.errors) console.error(line)
    return exitConfig
  }
  try {
    await askAdmin(result.config.dataDir, { command: `projections ${command}`, args }, (line) => console.log(line))
    return 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return 1
  }
}

process.exitCode = await main()
