/** A log whose producers lose answers, fail before their effect, or do not get through at all, as they are told. */

import type { Log, ProducerSession } from '../../connectors/kafka/index.ts'
import { LogError } from '../../connectors/kafka/index.ts'

export interface LogTrouble {
  /** Of the next so many commits the answer is lost. */
  lost: number
  /** With the last of these answers it goes down. */
  downAfterLost: boolean
  /** The next so many appends fail before they are sent. */
  refused: number
  isDown: boolean
}

export function loseOne(trouble: LogTrouble): void {
  trouble.lost -= 1
  if (trouble.lost === 0 && trouble.downAfterLost) trouble.isDown = true
}

export function troubledLog(log: Log, trouble: LogTrouble): Log {
  const away = (): LogError => new LogError('TIMEOUT', 'nobody answers', 'retry')
  const sessionOf = (session: ProducerSession): ProducerSession => ({
    get producerId() {
      return session.producerId
    },
    get epoch() {
      return session.epoch
    },
    begin: () => session.begin(),
    async append(batches) {
      if (trouble.isDown) throw away()
      if (trouble.refused > 0) {
        trouble.refused -= 1
        throw away()
      }
      return session.append(batches)
    },
    sendOffsets: (group, offsets) => session.sendOffsets(group, offsets),
    async end(outcome) {
      if (trouble.isDown) throw away()
      await session.end(outcome)
      if (outcome === 'abort' || trouble.lost === 0) return
      loseOne(trouble)
      throw away()
    },
    close: () => session.close(),
  })
  return new Proxy(log, {
    get(target, name) {
      if (name === 'openProducer')
        return async (options: Parameters<Log['openProducer']>[0]) => {
          if (trouble.isDown) throw away()
          return sessionOf(await target.openProducer(options))
        }
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
