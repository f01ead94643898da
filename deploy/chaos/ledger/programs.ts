/**
 * The stream programs that are killed: two applications in a chain, with state, timers, a repartition and calls.
 *
 *   ledger_entries -> ledger: post -> ledger_postings -> audit: check (async) -> count -> ledger_checked
 *                             post -> groups (repartition) -> total -> ledger_groups -> audit: pass -> ledger_passed
 *
 * Some entries are bad, and become dead letters. Every output says which input it came from and what the state was, so that
 * a checker can tell any that is lost, twice or out of order. A timer's firing is a posting of its own.
 */

import type { Clock, StreamRecord, Topology } from '../../../topology/index.ts'
import { TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'
import { groupOf, idleMsOf, parseEntry } from './entries.ts'

export const topics = {
  entries: 'ledger_entries',
  postings: 'ledger_postings',
  groups: 'ledger_groups',
  checked: 'ledger_checked',
  passed: 'ledger_passed',
} as const

export const partitions = 3
/** Of four parts in two applications. */
export const allTasks = 4 * partitions

const text = { key: stringSerde, value: stringSerde }

const output = (key: string, value: string, timestamp: number): StreamRecord => ({
  key,
  value,
  timestamp,
  headers: noHeaders,
})

export interface Balance {
  readonly count: number
  readonly sum: number
  /** The greatest timestamp of the account. */
  readonly last: number
}

export const noBalance: Balance = { count: 0, sum: 0, last: 0 }

/** A row of the store `balances`: what the entry carried makes it as large as the entry. */
export const balanceRow = ({ count, sum, last }: Balance, pad: string): string => `${count}:${sum}:${last}:${pad}`

function balanceOf(row: Buffer | undefined): Balance {
  if (row === undefined) return noBalance
  const [count, sum, last] = row.toString().split(':').map(Number)
  return { count: count ?? 0, sum: sum ?? 0, last: last ?? 0 }
}

export function ledgerProgram(): Topology {
  return new TopologyBuilder('ledger')
    .source('entries', { topic: topics.entries, ...text })
    .store('balances')
    .store('idle-timers', { kind: 'timers' })
    .processor('post', {
      parents: ['entries'],
      stores: ['balances'],
      timers: { store: 'idle-timers', handles: ['idle'] },
      supplier: () => ({
        process(record, context) {
          const key = Buffer.from(record.key as string)
          const entry = parseEntry(record.key as string, record.value as string)
          const before = balanceOf(context.store('balances').get(key))
          const { count, sum, last } = {
            count: before.count + 1,
            sum: before.sum + entry.amount,
            last: Math.max(before.last, record.timestamp),
          }
          context.store('balances').put(key, Buffer.from(balanceRow({ count, sum, last }, entry.pad)))
          // An entry that came late moves nothing; its account's timer may have fired already, and is not armed in the past.
          if (last > before.last) context.timer(key, 'idle', last + idleMsOf(entry.key))
          const { producer, n } = entry
          context.forward(output(entry.key, `${producer}:${n}:${count}:${sum}`, record.timestamp), 'postings')
          const moved = `${producer}:${n}:${entry.amount}:${context.taskPartition}`
          context.forward(output(groupOf(entry), moved, record.timestamp), 'to-groups')
          // As late as it can be: what the step has written and sent is to be gone with it.
          if (entry.bad) throw new Error('the ledger does not take it')
        },
        timer(key, name, dueAt, context) {
          const { count } = balanceOf(context.store('balances').get(key))
          context.forward(output(key.toString(), `${name}:${dueAt}:${count}`, dueAt), 'postings')
        },
      }),
    })
    .sink('postings', { parents: ['post'], topics: [topics.postings], ...text })
    .repartition('groups')
    .sink('to-groups', { parents: ['post'], topics: ['groups'], ...text })
    .source('grouped', { topic: 'groups', ...text })
    .store('totals')
    .processor('total', { parents: ['grouped'], stores: ['totals'], supplier: () => ({ process: addToGroup }) })
    .sink('groups-out', { parents: ['total'], topics: [topics.groups], ...text })
    .part('post', { source: 'entries' })
    .part('total', { source: 'grouped' })
    .build()
}

const addToGroup: ReturnType<Parameters<TopologyBuilder['processor']>[1]['supplier']>['process'] = (
  record,
  context,
) => {
  const group = Buffer.from(record.key as string)
  const [producer, n, amount] = (record.value as string).split(':')
  const before = balanceOf(context.store('totals').get(group))
  const after = { count: before.count + 1, sum: before.sum + Number(amount), last: 0 }
  context.store('totals').put(group, Buffer.from(balanceRow(after, '')))
  context.forward(output(record.key as string, `${producer}:${n}:${after.count}:${after.sum}`, record.timestamp))
}

/** @param pauseMs how long the call for a posting takes; in a real run it varies, so that answers overtake each other */
export function auditProgram(clock: Clock, pauseMs: () => number): Topology {
  return (
    new TopologyBuilder('audit')
      .source('postings', { topic: topics.postings, ...text })
      .store('done', { kind: 'done' })
      .store('waiting', { kind: 'waiting' })
      .store('seen')
      .async<string, string>('check', {
        parents: ['postings'],
        doneStore: 'done',
        waitingStore: 'waiting',
        operator: {
          concurrency: 8,
          timeoutMs: 10_000,
          key: stringSerde,
          value: stringSerde,
          lane: (record) => record.key as string,
          call: (record) => new Promise((resolve) => void clock.after(pauseMs(), () => resolve(`${record.value}=ok`))),
          answered: (record, answer, context) =>
            context.forward(output(record.key as string, answer, record.timestamp)),
        },
      })
      .processor('count', {
        parents: ['check'],
        stores: ['seen'],
        supplier: () => ({
          process(record, context) {
            const key = Buffer.from(record.key as string)
            const seen = Number(context.store('seen').get(key)?.toString() ?? 0) + 1
            context.store('seen').put(key, Buffer.from(String(seen)))
            context.forward(output(record.key as string, `${String(record.value)}#${seen}`, record.timestamp))
          },
        }),
      })
      .sink('checked', { parents: ['count'], topics: [topics.checked], ...text })
      // Without state: nothing to restore keeps its tasks from reading offsets too early.
      .source('groups', { topic: topics.groups, ...text })
      .processor('pass', {
        parents: ['groups'],
        supplier: () => ({ process: (record, context) => context.forward(record) }),
      })
      .sink('passed', { parents: ['pass'], topics: [topics.passed], ...text })
      .part('check', { source: 'postings' })
      .part('pass', { source: 'groups' })
      .build()
  )
}
