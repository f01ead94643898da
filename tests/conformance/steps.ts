/**
 * The language of the conformance scripts: requests as data, at the level of the broker port. Two players read it: `kafka/`
 * plays a script on a real Kafka with raw requests, `player.ts` on any `Broker`. Both give answers in one normal form
 * (`normal-form.ts`), which are compared.
 *
 * Topics, groups and transactional ids are a script's own. Producers and members have names; a player remembers what the
 * broker gave them (id, epoch, sequences, generation), and a step may be wrong about it on purpose.
 */

export interface RecordSpec {
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  /** A value of so many bytes instead. */
  readonly valueBytes?: number
  readonly headers?: readonly (readonly [string, string])[]
}

export interface BatchOptions {
  /** Instead of the producer's next one, which then stays as it is. */
  readonly sequence?: number
  /** Added to the producer's epoch. */
  readonly epoch?: number
  /** Id and epoch of another producer. */
  readonly identity?: string
  readonly transactional?: boolean
  /** No producer id at all. */
  readonly plain?: boolean
  /** The last byte is changed after the CRC was taken. */
  readonly corrupt?: boolean
}

export interface BatchSpec extends BatchOptions {
  /** topic:partition */
  readonly to: string
  readonly records: readonly RecordSpec[]
}

/** Who asks, when not the member as the player knows it. */
export interface Asking {
  readonly as?: string
  readonly group?: string
  /** `@name` is the id behind a name (`m1~2`: the second id that m1 was given). */
  readonly memberId?: string
  readonly instanceId?: string | null
  /** Added to the member's generation. */
  readonly generation?: number
  readonly generationIs?: number
}

/** topic:partition, offset, and metadata or how many bytes of it. */
export type OffsetSpec = readonly [string, number, string | number]

export type Isolation = 'read_committed' | 'read_uncommitted'

export interface JoinStep {
  readonly do: 'join'
  readonly as: string
  readonly group?: string
  readonly memberId?: string
  readonly instanceId?: string | null
  readonly sessionMs: number
  readonly rebalanceMs: number
  readonly protocolType: string
  readonly protocols: readonly (readonly [string, string])[]
  /** MEMBER_ID_REQUIRED is the answer; else the request is repeated with the id that was given. */
  readonly once?: boolean
}

export interface EndTxnStep {
  readonly do: 'endTxn'
  readonly by: string
  readonly outcome: 'commit' | 'abort'
  readonly epoch?: number
  readonly identity?: string
  /** The producer does not take the identity that is answered. */
  readonly keep?: boolean
  /** Neither repeated on CONCURRENT_TRANSACTIONS nor followed by waiting for the markers. */
  readonly once?: boolean
}

export type Request =
  | { readonly do: 'createTopic'; topic: string; partitions: number; config: Readonly<Record<string, string>> }
  | { readonly do: 'metadata'; topics: readonly string[] }
  | { readonly do: 'initProducer'; as: string; id: string | null; timeoutMs: number; once?: boolean }
  | { readonly do: 'produce'; by: string; batches: readonly BatchSpec[]; transactionalId?: string | null }
  | {
      readonly do: 'fetch'
      readonly from: string
      readonly offset: number
      readonly isolation: Isolation
      readonly maxBytes?: number
      readonly maxWaitMs?: number
    }
  /** Reads to the end as a consumer does: what is delivered, and where it stands then. */
  | { readonly do: 'consume'; from: string; offset: number; isolation: Isolation; maxBytes?: number }
  | { readonly do: 'listOffsets'; of: string; which: 'earliest' | 'latest' | 'stable' }
  | { readonly do: 'deleteRecords'; in: string; before: number }
  /** Until the cleaner has been over the sealed segments. */
  | { readonly do: 'compact'; in: string }
  | EndTxnStep
  | ({
      readonly do: 'txnOffsets'
      readonly by: string
      readonly offsets: readonly OffsetSpec[]
      readonly epoch?: number
      readonly identity?: string
      readonly transactionalId?: string
      readonly once?: boolean
    } & Asking)
  | JoinStep
  | ({ readonly do: 'sync'; assignments?: Readonly<Record<string, string>> } & Asking)
  | ({ readonly do: 'heartbeat' } & Asking)
  | ({ readonly do: 'leave' } & Asking)
  | ({ readonly do: 'commit'; offsets: readonly OffsetSpec[] } & Asking)
  | { readonly do: 'committed'; group: string; of: readonly string[]; stable: boolean }
  | { readonly do: 'describe'; group: string }

export type Step =
  /** `start`: not awaited; answered by the `await` step with that name. */
  | (Request & { readonly start?: string })
  | { readonly do: 'await'; name: string }
  /** Whether a started request is still unanswered. */
  | { readonly do: 'pending'; name: string }
  | { readonly do: 'wait'; ms: number }

export interface Script {
  readonly name: string
  readonly steps: readonly Step[]
}

export const script = (name: string, ...steps: (Step | readonly Step[])[]): Script => ({ name, steps: steps.flat() })

/** Records are of 1970 and markers of today: nothing is deleted by age, and no segment is sealed by it. */
export const topic = (name: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Step => ({
  do: 'createTopic',
  topic: name,
  partitions,
  config: { 'retention.ms': '-1', 'segment.ms': '31536000000000', ...config },
})

/**
 * `key=value` or `key!` for a tombstone, `~` for no key, `*n` for a value of n bytes, `@time`, `{header:value,...}`;
 * separated by blanks.
 */
export function records(text: string): RecordSpec[] {
  return text.split(' ').map((one, index) => {
    const match = /^([^=!]*)(?:!|=(\*\d+|[^@{]*))(?:@(\d+))?(?:\{(.*)\})?$/.exec(one)
    if (match === null) throw new Error(`${one} is no record`)
    const [, key = '', value, time, headers] = match
    return {
      timestamp: Number(time ?? 1_000 + index),
      key: key === '~' ? null : key,
      value: value === undefined ? null : value.startsWith('*') ? '' : value,
      ...(value?.startsWith('*') === true ? { valueBytes: Number(value.slice(1)) } : {}),
      ...(headers === undefined
        ? {}
        : { headers: headers.split(',').map((pair) => pair.split(':') as [string, string]) }),
    }
  })
}

export const batch = (to: string, text: string, options: BatchOptions = {}): BatchSpec => ({
  to,
  records: records(text),
  ...options,
})

/** An idempotent producer without transactions. */
export const idempotent = (as: string): Step => ({ do: 'initProducer', as, id: null, timeoutMs: 60_000 })

export const transactional = (as: string, id = 'tx', timeoutMs = 60_000, once = false): Step => ({
  do: 'initProducer',
  as,
  id,
  timeoutMs,
  ...(once ? { once } : {}),
})

export const produce = (by: string, to: string, text: string, options: BatchOptions = {}): Step =>
  produceAll(by, [batch(to, text, options)])

/** @param transactionalId of the request, when it is not the producer's */
export const produceAll = (by: string, batches: readonly BatchSpec[], transactionalId?: string | null): Step => ({
  do: 'produce',
  by,
  batches,
  ...(transactionalId === undefined ? {} : { transactionalId }),
})

type EndOptions = Omit<EndTxnStep, 'do' | 'by' | 'outcome'>

export const commitTxn = (by: string, options: EndOptions = {}): Step => ({
  do: 'endTxn',
  by,
  outcome: 'commit',
  ...options,
})
export const abortTxn = (by: string, options: EndOptions = {}): Step => ({
  do: 'endTxn',
  by,
  outcome: 'abort',
  ...options,
})

interface ReadOptions {
  readonly maxBytes?: number
  readonly maxWaitMs?: number
}

export const fetchAll = (from: string, offset = 0, options: ReadOptions = {}): Step => ({
  do: 'fetch',
  from,
  offset,
  isolation: 'read_uncommitted',
  ...options,
})
export const fetchCommitted = (from: string, offset = 0, options: ReadOptions = {}): Step => ({
  do: 'fetch',
  from,
  offset,
  isolation: 'read_committed',
  ...options,
})
export const consume = (from: string, offset = 0, maxBytes?: number): Step => ({
  do: 'consume',
  from,
  offset,
  isolation: 'read_committed',
  ...(maxBytes === undefined ? {} : { maxBytes }),
})
export const consumeAll = (from: string, offset = 0): Step => ({
  do: 'consume',
  from,
  offset,
  isolation: 'read_uncommitted',
})

export const offsetOf = (of: string, which: 'earliest' | 'latest' | 'stable'): Step => ({
  do: 'listOffsets',
  of,
  which,
})
export const deleteRecords = (partition: string, before: number): Step => ({
  do: 'deleteRecords',
  in: partition,
  before,
})
export const compact = (partition: string): Step => ({ do: 'compact', in: partition })

interface TxnOffsetsOptions extends Asking {
  readonly epoch?: number
  readonly identity?: string
  readonly transactionalId?: string
}

export const txnOffsets = (by: string, offsets: readonly OffsetSpec[], options: TxnOffsetsOptions = {}): Step => ({
  do: 'txnOffsets',
  by,
  offsets,
  ...whoOf(options),
})

/** A member that the script knows brings its group; else it is group `g` without a member. */
const whoOf = <T extends Asking>(options: T): T & Asking =>
  options.as === undefined ? { group: 'g', generationIs: -1, memberId: '', ...options } : options

type JoinOptions = Partial<Omit<JoinStep, 'do' | 'as'>>

/** @param options the first join of a member names its group, `g` unless told */
export const join = (as: string, options: JoinOptions = {}): Step => ({
  do: 'join',
  as,
  group: 'g',
  sessionMs: 30_000,
  rebalanceMs: 20_000,
  protocolType: 'consumer',
  protocols: [['range', `${as} metadata`]],
  ...options,
})

export const sync = (as: string, assignments?: Readonly<Record<string, string>>, asking: Asking = {}): Step => ({
  do: 'sync',
  as,
  ...(assignments === undefined ? {} : { assignments }),
  ...asking,
})
export const heartbeat = (as: string, asking: Asking = {}): Step => ({ do: 'heartbeat', as, ...asking })
export const leave = (as: string, asking: Asking = {}): Step => ({ do: 'leave', as, ...asking })
export const commit = (offsets: readonly OffsetSpec[], options: Asking = {}): Step => ({
  do: 'commit',
  offsets,
  ...whoOf(options),
})
export const committed = (of: readonly string[], stable = true, group = 'g'): Step => ({
  do: 'committed',
  group,
  of,
  stable,
})
export const describeGroup = (group = 'g'): Step => ({ do: 'describe', group })

export const wait = (ms: number): Step => ({ do: 'wait', ms })
export const start = (name: string, step: Step): Step => {
  if (step.do === 'wait' || step.do === 'await' || step.do === 'pending')
    throw new Error(`${step.do} cannot be started`)
  return { ...step, start: name }
}
export const awaited = (name: string): Step => ({ do: 'await', name })
export const pending = (name: string): Step => ({ do: 'pending', name })
