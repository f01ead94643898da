/** A log that fails at chosen calls of a producer session, as a network does: before the call took effect, or after. */

import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { LogError } from '../../../connectors/kafka/index.ts'

export type Call = 'append' | 'sendOffsets' | 'end'
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
  const guard = async <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    if (plan?.call !== call) return work()
    const { trouble } = plan
    plan = null
    failures++
    if (trouble === 'lost answer') await work()
    throw new LogError('TIMEOUT', `${call}: ${trouble}`, 'retry')
  }
  const wrap = (session: ProducerSession): ProducerSession => ({
    get producerId() {
      return session.producerId
    },
    get epoch() {
      return session.epoch
    },
    begin: () => session.begin(),
    append: (batches) => guard('append', () => session.append(batches)),
    sendOffsets: (group, offsets) => guard('sendOffsets', () => session.sendOffsets(group, offsets)),
    end: (outcome) => guard('end', () => session.end(outcome)),
    close: () => session.close(),
  })
  const log = new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (name === 'openProducer')
        return async (options: Parameters<Log['openProducer']>[0]) => {
          const session = await target.openProducer(options)
          return options.transactionalId?.startsWith(transactionalIdPrefix) === true ? wrap(session) : session
        }
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
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
