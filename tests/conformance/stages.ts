/** Our brokers with their time turned by hand: in memory, and over files. */

import { nodeFiles, openEmbeddedBroker, openMemoryBroker } from '../../connectors/kafka/index.ts'
import type { Broker, LogFile, LogFiles } from '../../connectors/kafka/index.ts'
import { HandClock, seededRandom, settle } from '../connectors/kafka/hand-clock.ts'
import type { Stage } from './player.ts'

/** As the recorded broker was set: `record.ts`. */
const groups = { minSessionTimeoutMs: 100 }
const cleanIntervalMs = 500
const STEP_MS = 50

export function memoryStage(name: string): Stage {
  const clock = new HandClock()
  const broker = openMemoryBroker({ clock, random: seededRandom(name), groups, cleanIntervalMs })
  return stageOf(broker, clock, settle)
}

export async function fileStage(name: string, directory: string): Promise<Stage> {
  const clock = new HandClock()
  const { files, quiet } = watched(nodeFiles)
  const broker = await openEmbeddedBroker({
    clock,
    random: seededRandom(name),
    directory,
    files,
    fsync: 'never',
    fsyncIntervalMs: 0,
    notice: () => undefined,
    groups,
    cleanIntervalMs,
  })
  return stageOf(broker, clock, quiet)
}

function stageOf(broker: Broker, clock: HandClock, quiet: () => Promise<void>): Stage {
  const wait = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await clock.advance(Math.min(left, STEP_MS))
      await quiet()
    }
  }
  // A pass pauses on the clock between its pieces.
  return { broker, wait, settle: quiet, reached: quiet, written: quiet, compact: () => wait(cleanIntervalMs * 4) }
}

/** Files that know whether something is still being done: a slow disk then never looks like time that passed. */
function watched(files: LogFiles): { files: LogFiles; quiet: () => Promise<void> } {
  let running = 0
  let begun = 0
  const counted = async <T>(work: Promise<T>): Promise<T> => {
    running++
    begun++
    return work.finally(() => running--)
  }
  const fileOf = (file: LogFile): LogFile => ({
    size: () => counted(file.size()),
    append: (bytes, position) => counted(file.append(bytes, position)),
    pread: (position, length) => counted(file.pread(position, length)),
    truncate: (size) => counted(file.truncate(size)),
    fsync: () => counted(file.fsync()),
    close: () => counted(file.close()),
  })
  const quiet = async (): Promise<void> => {
    for (let seen = -1; seen !== begun || running > 0;) {
      seen = begun
      await settle()
    }
  }
  return {
    files: {
      makeDirectory: (path) => counted(files.makeDirectory(path)),
      list: (path) => counted(files.list(path)),
      open: (path) => counted(files.open(path)).then(fileOf),
      rename: (from, to) => counted(files.rename(from, to)),
      remove: (path) => counted(files.remove(path)),
      fsyncDirectory: (path) => counted(files.fsyncDirectory(path)),
    },
    quiet,
  }
}
