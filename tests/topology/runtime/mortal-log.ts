/** The log of a process that can be killed: from then on nothing it asks for has an effect, and nothing is answered. */

import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { override } from './harness.ts'
import type { Call } from './troubled-log.ts'

export interface MortalLog {
  readonly log: Log
  readonly isDead: boolean
  kill(): void
  /** Kills at the next such call of a session of this application: before it had its effect, or after. */
  killAt(call: Exclude<Call, 'begin'>, moment: 'before' | 'after'): void
}

const never = <T>(): Promise<T> => new Promise(() => undefined)

export function mortalLog(inner: Log, transactionalIdPrefix: string): MortalLog {
  let dead = false
  let plan: { call: Call; moment: 'before' | 'after' } | null = null
  const alive = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) return never()
    const answer = await work()
    return dead ? never() : answer
  }
  const guard = async <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    if (plan?.call !== call) return alive(work)
    if (plan.moment === 'after') await work()
    dead = true
    return never()
  }
  const wrap = (session: ProducerSession): ProducerSession =>
    override(session, {
      append: (batches) => guard('append', () => session.append(batches)),
      sendOffsets: (group, offsets) => guard('sendOffsets', () => session.sendOffsets(group, offsets)),
      end: (outcome) => guard('end', () => session.end(outcome)),
      close: () => alive(() => session.close()),
    })
  const log = override(inner, {
    metadata: (names) => alive(() => inner.metadata(names)),
    listOffsets: (partitions, which) => alive(() => inner.listOffsets(partitions, which)),
    fetch: (request) => alive(() => inner.fetch(request)),
    committedOffsets: (...args) => alive(() => inner.committedOffsets(...args)),
    openProducer: (options) =>
      alive(async () => {
        const session = await inner.openProducer(options)
        return options.transactionalId?.startsWith(transactionalIdPrefix) === true ? wrap(session) : session
      }),
  })
  return {
    log,
    get isDead() {
      return dead
    },
    kill: () => {
      dead = true
    },
    killAt: (call, moment) => {
      plan = { call, moment }
    },
  }
}
