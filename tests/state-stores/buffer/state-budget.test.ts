import { beforeEach, describe, expect, test } from 'vitest'
import { StateBudget, TaskState, memoryDatabases } from '../../../state-stores/index.ts'
import { gated } from './gated-database.ts'
import type { GatedDatabase } from './gated-database.ts'

describe('StateBudget names the task to flush next', () => {
  let now = 0
  let budget: StateBudget
  let offset = 0n
  const databases = new Map<TaskState, GatedDatabase>()

  const task = async (): Promise<TaskState> => {
    const database = gated(await memoryDatabases().open('app/0_0'))
    const opened = TaskState.open({ database, stores: [{ name: 's', logged: true }] })
    databases.set(opened, database)
    budget.register(opened)
    return opened
  }
  const commit = (to: TaskState, bytes: number): void => {
    to.store('s').put(Buffer.from('tenant-a:k'), Buffer.alloc(bytes / 2))
    to.store('s').put(Buffer.from('tenant-b:k'), Buffer.alloc(bytes / 2))
    to.commit(new Map([['s', ++offset]]))
  }
  const flush = async (of: TaskState): Promise<void> => {
    const done = of.flush()
    await databases.get(of)?.writes.shift()?.finish()
    await done
  }

  beforeEach(() => {
    now = 1_000_000
    budget = new StateBudget({ bytes: 100_000, flushBytes: 20_000, flushMs: 5_000, now: () => now })
  })

  test('nobody when nothing is committed, or nothing is due', async () => {
    const a = await task()
    expect(budget.due()).toBeNull()
    a.store('s').put(Buffer.from('k'), Buffer.alloc(50_000))
    expect(budget.due()).toBeNull()
    a.abort()
    commit(a, 100)
    expect(budget.due()).toBeNull()
  })

  test('by changelog bytes: coalesced updates of one key count each time', async () => {
    const [a, b] = [await task(), await task()]
    for (let i = 0; i < 30; i++) commit(a, 1_000)
    commit(b, 1_000)
    expect(a.unflushedBytes).toBeLessThan(2_000)
    expect(budget.due()).toBe(a)
    await flush(a)
    expect(budget.due()).toBeNull()
  })

  test('by age: a hot key set below all byte bounds still reaches the disk', async () => {
    const a = await task()
    commit(a, 10)
    expect(budget.due()).toBeNull()
    now += 4_999
    commit(a, 10)
    expect(budget.due()).toBeNull()
    now += 1
    expect(budget.due()).toBe(a)
    await flush(a)
    commit(a, 10)
    expect(budget.due()).toBeNull()
    await flush(a)
    now += 60_000
    expect(budget.due()).toBeNull()
  })

  test('by age: rows committed while a flush runs count from then', async () => {
    const a = await task()
    commit(a, 10)
    const running = a.flush()
    commit(a, 10)
    expect(budget.due()).toBeNull()
    now += 5_000
    expect(budget.due()).toBeNull()
    await databases.get(a)?.writes.shift()?.finish()
    await running
    expect(budget.due()).toBe(a)
  })

  test('past the budget of all together: the largest first, and never one that is flushing', async () => {
    const [a, b, c] = [await task(), await task(), await task()]
    commit(a, 16_000)
    for (const each of [b, c]) each.store('s').put(Buffer.from('k'), Buffer.alloc(40_000))
    c.commit(new Map([['s', 1n]]), 0)
    expect(budget.overBudget).toBe(false)
    b.store('s').put(Buffer.from('l'), Buffer.alloc(40_000))
    expect(budget.overBudget).toBe(true)
    expect(budget.due()).toBe(c)
    void c.flush()
    expect(budget.due()).toBe(a)
    void a.flush()
    expect(budget.due()).toBeNull()
  })

  test('a task taken out is not named', async () => {
    const database = gated(await memoryDatabases().open('app/0_0'))
    const a = TaskState.open({ database, stores: [{ name: 's', logged: true }] })
    const unregister = budget.register(a)
    commit(a, 30_000)
    expect(budget.due()).toBe(a)
    unregister()
    expect([budget.due(), budget.bufferedBytes]).toEqual([null, 0])
  })
})
