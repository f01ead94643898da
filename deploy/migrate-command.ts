/** `npm run admin -- migrate down <n>`: alone on the data directory, with the database opened for this alone. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { lockDirectory } from '../state-stores/index.ts'
import type { Config } from './config.ts'
import { startEmbeddedPostgres } from './local/embedded-postgres.ts'
import { migrateDown } from './migrate-down.ts'

export const loseDataFlag = '--yes-lose-data'

/** @throws Error with one line */
export async function takeBack(
  { dataDir, database }: Pick<Config, 'dataDir' | 'database'>,
  [countText = '', flag]: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  if (!/^[1-9]\d{0,3}$/.test(countText))
    throw new Error(`${countText}: say how many migrations to take back, 1 or more`)
  if (flag !== undefined && flag !== loseDataFlag) throw new Error(`${flag}: only ${loseDataFlag} may stand here`)
  const lock = await lockDirectory(dataDir)
  try {
    const embedded = join(dataDir, 'postgres')
    if (database.url === null && !existsSync(join(embedded, 'data')))
      throw new Error(`there is no database in ${dataDir}, and DATABASE_URL names none`)
    const server = database.url === null ? await startEmbeddedPostgres({ directory: embedded, notice: say }) : null
    try {
      const ownerUrl = server?.url ?? database.url ?? ''
      await migrateDown({ ownerUrl, count: Number(countText), loseData: flag === loseDataFlag, notice: say })
      say('start the earlier version now: this one applies them again')
    } finally {
      await server?.stop()
    }
  } finally {
    await lock.release()
  }
}
