/** Small stream programs that the runtime's tests run. */

import type { NodeContext, StreamRecord, Topology } from '../../../topology/index.ts'
import { BadRecord, TopologyBuilder, bytesSerde, noHeaders, stringSerde } from '../../../topology/index.ts'

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

/** `arm N`: a deadline N ms after the record. `met`: disarms it. A firing writes "late <due>". */
export function deadlineProgram(): Topology {
  return new TopologyBuilder('deadlines')
    .source('in', { topic: 'orders', ...text })
    .store('deadline-timers', { kind: 'timers' })
    .processor('watch', {
      parents: ['in'],
      timers: { store: 'deadline-timers', handles: ['deadline'] },
      supplier: () => ({
        process(record, context) {
          const key = Buffer.from(record.key as string)
          const [verb, ms] = (record.value as string).split(' ')
          if (verb === 'arm') context.timer(key, 'deadline', record.timestamp + Number(ms))
          if (verb === 'met') context.timer(key, 'deadline', null)
          context.forward(out(record.key as string, `saw ${verb}`, record.timestamp))
        },
        timer(key, name, dueAt, context) {
          context.forward(out(key.toString(), `late ${name} ${dueAt}`, dueAt))
        },
      }),
    })
    .sink('out', { parents: ['watch'], topics: ['verdicts'], ...text })
    .build()
}

export interface Caller {
  call(value: string, signal: AbortSignal): Promise<string>
  readonly limit?: { readonly calls: number; readonly windowMs: number }
  readonly concurrency?: number
}

/** Calls `caller` for each record; `@<ms> text` must not be called before that time. */
export function callProgram(caller: Caller): Topology {
  return new TopologyBuilder('calls')
    .source('in', { topic: 'requests', ...text })
    .store('done', { kind: 'done' })
    .store('waiting', { kind: 'waiting' })
    .async<string, string>('call', {
      parents: ['in'],
      doneStore: 'done',
      waitingStore: 'waiting',
      operator: {
        concurrency: caller.concurrency ?? 4,
        timeoutMs: 1000,
        key: stringSerde,
        value: stringSerde,
        lane: (record) => record.key as string,
        notBefore: (record) => Number(/^@(\d+)/.exec(record.value)?.[1] ?? 0),
        ...(caller.limit === undefined
          ? {}
          : { limit: () => ({ account: 'one', limit: caller.limit as { calls: number; windowMs: number } }) }),
        call: (record, signal) => caller.call(record.value, signal),
        answered: (record, answer, context) => context.forward(out(record.key as string, answer, context.now())),
      },
    })
    .sink('out', { parents: ['call'], topics: ['answers'], ...text })
    .build()
}

export const passThrough = bytesSerde
