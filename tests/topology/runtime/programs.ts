/** Small stream programs that the runtime's tests run. */

import type { CallLimit, NodeContext, NodeProcessor, StreamRecord, Topology } from '../../../topology/index.ts'
import { BadRecord, TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'

export const text = { key: stringSerde, value: stringSerde }

export const out = (key: string, value: string, timestamp: number): StreamRecord => ({
  key,
  value,
  timestamp,
  headers: noHeaders,
})

/** Counts records per key and writes each count; a value "throw" throws, a value "reject" is bad data. */
export function countProgram(): Topology {
  return new TopologyBuilder('counter')
    .source('words', { topic: 'words', ...text })
    .store('counts')
    .store('set-aside', { kind: 'set-aside' })
    .processor('count', {
      parents: ['words'],
      stores: ['counts', 'set-aside'],
      supplier: () => ({
        process(record, context) {
          const key = Buffer.from(record.key as string)
          const store = context.store('counts')
          const count = Number(store.get(key)?.toString() ?? 0) + 1
          store.put(key, Buffer.from(String(count)))
          context.forward(out(record.key as string, String(count), record.timestamp))
          if (record.value === 'throw') throw new Error('the step broke')
          if (record.value === 'reject') throw new BadRecord('bad_value', 'not a word')
        },
      }),
    })
    .sink('out', { parents: ['count'], topics: ['counts-out'], ...text })
    .build()
}

/** Counts as `countProgram` does, and takes any failure of its store for "not there". */
export function carelessProgram(): Topology {
  return new TopologyBuilder('counter')
    .source('words', { topic: 'words', ...text })
    .store('counts')
    .processor('count', {
      parents: ['words'],
      stores: ['counts'],
      supplier: () => ({
        process(record, context) {
          const key = Buffer.from(record.key as string)
          let count = 0
          try {
            count = Number(context.store('counts').get(key)?.toString() ?? 0)
          } catch {
            count = 0
          }
          context.store('counts').put(key, Buffer.from(String(count + 1)))
          context.forward(out(record.key as string, String(count + 1), record.timestamp))
        },
      }),
    })
    .sink('out', { parents: ['count'], topics: ['counts-out'], ...text })
    .build()
}

export interface Tumbling {
  readonly sizeMs: number
  readonly graceMs: number
}

/** Counts records per key and tumbling window; what comes after the grace is dropped. A value "throw" throws. */
export function tumblingProgram({ sizeMs, graceMs }: Tumbling): Topology {
  return new TopologyBuilder('tumbling')
    .source('words', { topic: 'words', ...text })
    .store('windows', { kind: 'window', windowSizeMs: sizeMs, retentionMs: sizeMs + graceMs })
    .processor('count', {
      parents: ['words'],
      stores: ['windows'],
      supplier: () => ({
        process(record, context) {
          const start = record.timestamp - (record.timestamp % sizeMs)
          if (start + sizeMs <= context.streamTime - graceMs) {
            context.dropLate()
            return
          }
          const key = Buffer.from(record.key as string)
          const store = context.windowStore('windows')
          const count = Number(store.get(key, start)?.toString() ?? 0) + 1
          store.put(key, start, Buffer.from(String(count)))
          context.forward(out(record.key as string, `${start}: ${count}`, record.timestamp))
          if (record.value === 'throw') throw new Error('the step broke')
        },
      }),
    })
    .sink('out', { parents: ['count'], topics: ['window-counts'], ...text })
    .build()
}

/** Joins two topics by key through a shared store: what came, in the order it was taken. */
export function mergeProgram(): Topology {
  const note = (name: string) => (record: StreamRecord, context: NodeContext) => {
    const key = Buffer.from(record.key as string)
    const store = context.store('seen')
    const seen = `${store.get(key)?.toString() ?? ''}${name}${String(record.value)} `
    store.put(key, Buffer.from(seen))
    context.forward(out(record.key as string, seen.trim(), record.timestamp))
  }
  return new TopologyBuilder('merger')
    .source('left', { topic: 'left', ...text })
    .source('right', { topic: 'right', ...text })
    .store('seen')
    .processor('note-left', { parents: ['left'], stores: ['seen'], supplier: () => ({ process: note('l') }) })
    .processor('note-right', { parents: ['right'], stores: ['seen'], supplier: () => ({ process: note('r') }) })
    .sink('out', { parents: ['note-left', 'note-right'], topics: ['merged'], ...text })
    .build()
}

const watchDeadlines = (): NodeProcessor => ({
  process(record, context) {
    const key = Buffer.from(record.key as string)
    const [verb, ms] = (record.value as string).split(' ')
    if (verb === 'throw') throw new Error('the step broke')
    if (verb === 'arm') context.timer(key, 'deadline', record.timestamp + Number(ms))
    if (verb === 'met') context.timer(key, 'deadline', null)
    context.forward(out(record.key as string, `saw ${verb}`, record.timestamp))
  },
  timer(key, name, dueAt, context) {
    context.forward(out(key.toString(), `late ${name} ${dueAt}`, dueAt))
  },
})

/** `arm N`: a deadline N ms after the record. `met`: disarms it. `throw`: throws. A firing writes "late <due>". */
export function deadlineProgram(options: { readonly setAside: boolean } = { setAside: false }): Topology {
  const builder = new TopologyBuilder('deadlines')
    .source('in', { topic: 'orders', ...text })
    .store('deadline-timers', { kind: 'timers' })
  if (options.setAside) builder.store('set-aside', { kind: 'set-aside' })
  return builder
    .processor('watch', {
      parents: ['in'],
      stores: options.setAside ? ['set-aside'] : [],
      timers: { store: 'deadline-timers', handles: ['deadline'] },
      supplier: watchDeadlines,
    })
    .sink('out', { parents: ['watch'], topics: ['verdicts'], ...text })
    .build()
}

/** Passes records on from one topic to the next: a service upstream. */
export function relayProgram(name: string, from: string, to: string): Topology {
  return new TopologyBuilder(name)
    .source('in', { topic: from, ...text })
    .processor('pass', {
      parents: ['in'],
      supplier: () => ({ process: (record, context) => context.forward(record) }),
    })
    .sink('out', { parents: ['pass'], topics: [to], ...text })
    .build()
}

/** Writes what `outputs` makes of each record. */
export function emitProgram(outputs: (record: StreamRecord<string, string>) => readonly StreamRecord[]): Topology {
  return new TopologyBuilder('emitter')
    .source('in', { topic: 'in', ...text })
    .processor('emit', {
      parents: ['in'],
      supplier: () => ({
        process(record, context) {
          for (const output of outputs(record as StreamRecord<string, string>)) context.forward(output)
        },
      }),
    })
    .sink('out', { parents: ['emit'], topics: ['out'], ...text })
    .build()
}

export interface Caller {
  call(value: string, signal: AbortSignal): Promise<string>
  readonly limit?: CallLimit | (() => CallLimit | null)
  readonly concurrency?: number
  /** Sees each record before the operator does, in the same step; false drops it. */
  readonly gate?: (value: string) => boolean
  readonly lane?: (key: string, value: string) => string
  readonly notBefore?: (value: string) => number
  readonly answered?: (answer: string) => string
  /** Instead of `limit`: by request. */
  readonly limitOf?: (value: string) => { readonly account: string; readonly limit: CallLimit } | null
}

/** Calls `caller` for each record; `@<ms> text` must not be called before that time. */
export function callProgram(caller: Caller): Topology {
  const { limit, gate } = caller
  const limitOf = (): { account: string; limit: CallLimit } | null => {
    const found = typeof limit === 'function' ? limit() : (limit ?? null)
    return found === null ? null : { account: 'one', limit: found }
  }
  return new TopologyBuilder('calls')
    .source('in', { topic: 'requests', ...text })
    .store('done', { kind: 'done' })
    .store('waiting', { kind: 'waiting' })
    .processor('gate', {
      parents: ['in'],
      supplier: () => ({
        process(record, context) {
          if (gate?.(record.value as string) ?? true) context.forward(record)
        },
      }),
    })
    .async<string, string>('call', {
      parents: ['gate'],
      doneStore: 'done',
      waitingStore: 'waiting',
      operator: {
        concurrency: caller.concurrency ?? 4,
        timeoutMs: 1000,
        key: stringSerde,
        value: stringSerde,
        lane: (record) => caller.lane?.(record.key as string, record.value) ?? (record.key as string),
        notBefore: (record) => caller.notBefore?.(record.value) ?? Number(/^@(\d+)/.exec(record.value)?.[1] ?? 0),
        limit: (record) => (caller.limitOf === undefined ? limitOf() : caller.limitOf(record.value)),
        call: (record, signal) => caller.call(record.value, signal),
        answered: (record, answer, context) =>
          context.forward(out(record.key as string, caller.answered?.(answer) ?? answer, context.now())),
      },
    })
    .sink('out', { parents: ['call'], topics: ['answers'], ...text })
    .build()
}
