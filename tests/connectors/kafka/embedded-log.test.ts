import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { openEmbeddedLog, openMemoryLog } from '../../../connectors/kafka/index.ts'
import type { FsyncPolicy, Log } from '../../../connectors/kafka/index.ts'
import { logContract } from '../../contracts/log.ts'
import type { LogFixture } from '../../contracts/log.ts'
import { HandClock, seededRandom } from './hand-clock.ts'

logContract('memory', false, async () => {
  const clock = new HandClock()
  const log = openMemoryLog({ clock, random: seededRandom('memory') })
  return { log, advance: (ms) => clock.advance(ms), dispose: () => log.close() }
})

logContract('files, fsync always, small segments, no hot tail', true, () =>
  onDisk('always', { segmentBytes: 1_000, tailBytes: 0 }),
)

logContract('files, fsync interval', true, () => onDisk('interval', {}))

async function onDisk(fsync: FsyncPolicy, sizes: { segmentBytes?: number; tailBytes?: number }): Promise<LogFixture> {
  const clock = new HandClock()
  const directory = await mkdtemp(join(tmpdir(), 'embedded-log-'))
  const notices: string[] = []
  const open = (): Promise<Log> =>
    openEmbeddedLog({
      directory,
      clock,
      random: seededRandom(directory),
      fsync,
      fsyncIntervalMs: 50,
      notice: (line) => notices.push(line),
      ...sizes,
    })
  let log = await open()
  return {
    log,
    advance: (ms) => clock.advance(ms),
    reopen: async () => {
      await log.close()
      log = await open()
      return log
    },
    dispose: async () => {
      await log.close()
      await rm(directory, { recursive: true })
    },
  }
}
