/** Sends a command to the process that holds DATA_DIR and prints what it answers. */

import { askAdmin } from '../admin-socket.ts'
import { exitConfig, readConfig } from '../config.ts'

/** @returns the exit code: 0, 1 when the command failed, 78 when the configuration is wrong */
export async function ask(command: string, args: readonly string[]): Promise<number> {
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
