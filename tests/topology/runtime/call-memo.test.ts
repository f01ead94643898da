/** What an operator remembers of its calls from one opening of its task to the next (A3). */

import { expect, test } from 'vitest'
import type { KeyValueStore } from '../../../state-stores/index.ts'
import type { AsyncOperation } from '../../../topology/index.ts'
import { noHeaders, stringSerde } from '../../../topology/index.ts'
import type { CallMemo } from '../../../topology/runtime/async-operator.ts'
import { AsyncOperator, noMemo } from '../../../topology/runtime/async-operator.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { t0, turns } from './harness.ts'

/** Nothing waits in these tests. */
const emptyStore = { get: () => undefined, put: () => undefined, delete: () => undefined, range: () => [].values() }

function operatorOf(memo: CallMemo, called: string[]): AsyncOperator {
  const clock = new HandClock(t0)
  const operator: AsyncOperation<string, string> = {
    concurrency: 4,
    timeoutMs: 1000,
    key: stringSerde,
    value: stringSerde,
    lane: (record) => record.key as string,
    call: (record) => Promise.resolve(record.value).then((value) => (called.push(value), value)),
    answered: () => undefined,
  }
  const store = emptyStore as unknown as KeyValueStore
  const node = { kind: 'async', name: 'call', parents: [], doneStore: 'd', waitingStore: 'w', stores: [] } as const
  const context = { taskPartition: 0, store: () => ({ name: 'none', get: () => undefined, range: () => [].values() }) }
  return new AsyncOperator({
    node: { ...node, operator: operator as unknown as AsyncOperation },
    clock,
    time: clock,
    done: store,
    waiting: store,
    wake: () => undefined,
    context: context as never,
    memo,
    ends: new Map(),
  })
}

function take(operator: AsyncOperator, ...lanes: readonly string[]): void {
  lanes.forEach((lane, n) => {
    const record = { key: lane, value: lane, timestamp: t0, headers: noHeaders }
    operator.accept(record, { topic: 'in', partition: 0, offset: BigInt(n) })
  })
  operator.release()
  operator.pump()
}

/** The answers that came become output of the open transaction. */
function emit(operator: AsyncOperator): string[] {
  const emitted: string[] = []
  operator.drain((record, _, call, then) => {
    emitted.push(call.result.ok ? String(record.value) : 'failed')
    then.close()
  })
  operator.release()
  return emitted
}

test('calls that a second opening never came to are there for the third, and are not made again', async () => {
  const called: string[] = []
  const first = operatorOf(noMemo, called)
  take(first, 'a', 'b')
  await turns()
  expect(emit(first)).toEqual(['a', 'b'])
  // Its commit fails, and so does the next opening, before it reads anything.
  const second = operatorOf(first.memo(), called)
  const third = operatorOf(second.memo(), called)
  take(third, 'a', 'b')
  await turns()
  expect(emit(third)).toEqual(['a', 'b'])
  expect(called).toEqual(['a', 'b'])
})

test('an answer that was emitted in vain is kept until what it becomes now is committed', async () => {
  const called: string[] = []
  const first = operatorOf(noMemo, called)
  take(first, 'a', 'b')
  await turns()
  emit(first)
  const second = operatorOf(first.memo(), called)
  take(second, 'a', 'b')
  // A commit of what others did comes before the answers are emitted again, and fails no less than the first.
  second.committed()
  expect(second.inFlight).toBe(2)
  await turns()
  expect(emit(second)).toEqual(['a', 'b'])
  const third = operatorOf(second.memo(), called)
  take(third, 'a', 'b')
  await turns()
  expect(emit(third)).toEqual(['a', 'b'])
  expect(called).toEqual(['a', 'b'])
})

test('nothing is kept of what was committed', async () => {
  const called: string[] = []
  const first = operatorOf(noMemo, called)
  take(first, 'a', 'b')
  await turns()
  emit(first)
  const second = operatorOf(first.memo(), called)
  take(second, 'a', 'b')
  await turns()
  expect(emit(second)).toEqual(['a', 'b'])
  second.committed()
  expect(second.inFlight).toBe(0)
  expect(second.memo().calls.size).toBe(0)
})
