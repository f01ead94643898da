/** A log that fails at chosen calls of a producer session, as a network does: before the call took effect, or after. */

import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { LogError } from '../../../connectors/kafka/index.ts'
import { override } from './harness.ts'

export type Call = 'begin' | 'append' | 'sendOffsets' | 'end'
export type Trouble = 'lost request' | 'lost answer'

export interface TroubledLog {
  readonly log: Log
  /** The next `call` of a session of this application fails. */
  failNext(call: Call, trouble: Trouble): void
  readonly failures: number
}

export function troubledLog(inner: Log, transactionalIdPrefix: string): TroubledLog {
  let plan: { call: Call; trouble: Trouble } | null = null
  let failures = 0
  const take = (call: Call): Trouble | null => {
    if (plan?.call !== call) return null
    const { trouble } = plan
    plan = null
    failures++
    return trouble
  }
  const error = (call: Call, trouble: Trouble): LogError => new LogError('TIMEOUT', `${call}: ${trouble}`, 'retry')
  const guard = async <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    const trouble = take(call)
    if (trouble === null) return work()
    if (trouble === 'lost answer') await work()
    throw error(call, trouble)
  }
  const wrap = (session: ProducerSession): ProducerSession =>
    override(session, {
      begin: () => {
        const trouble = take('begin')
        if (trouble !== 'lost request') session.begin()
        if (trouble !== null) throw error('begin', trouble)
      },
      append: (batches) => guard('append', () => session.append(batches)),
      sendOffsets: (group, offsets) => guard('sendOffsets', () => session.sendOffsets(group, offsets)),
      end: (outcome) => guard('end', () => session.end(outcome)),
    })
  const log = override(inner, {
    openProducer: async (options) => {
      const session = await inner.openProducer(options)
      return options.transactionalId?.startsWith(transactionalIdPrefix) === true ? wrap(session) : session
    },
  })
  return {
    log,
    failNext: (call, trouble) => {
      plan = { call, trouble }
    },
    get failures() {
      return failures
    },
  }
}
