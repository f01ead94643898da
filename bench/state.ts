/**
 * What state costs: `node --expose-gc bench/state.ts`. Keys of 60 bytes, values of 120, best of five rounds; the CPU of the
 * calling thread beside the time, because the time moves with the machine's other load. The keys are views into one
 * buffer, as a fetched batch gives them. Figures of one machine stand in state-stores/DESIGN.md.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TaskState, memoryDatabases, rocksDatabases } from '../state-stores/index.ts'
import type { StateDatabaseSupplier } from '../state-stores/index.ts'

const MIB = 1024 * 1024
const KEY_BYTES = 60
const VALUE = Buffer.alloc(120, 'v')
const OPERATIONS = 300_000
const ROUNDS = 5
const RECORDS_PER_COMMIT = 2_000

function keysOf(count: number): Buffer[] {
  const fetched = Buffer.alloc(count * KEY_BYTES, 'k')
  return Array.from({ length: count }, (_, i) => {
    fetched.write(String(i).padStart(12, '0'), i * KEY_BYTES + KEY_BYTES - 12)
    return fetched.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)
  })
}

/** A fixed sequence that visits keys in no order. */
function visits(count: number, of: number): Int32Array {
  let seed = 12345
  return Int32Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 4) % of
  })
}

async function best(name: string, operations: number, unit: string, run: () => unknown): Promise<void> {
  let us = Infinity
  let cpuUs = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now()
    const cpu = process.threadCpuUsage()
    await run()
    const { user, system } = process.threadCpuUsage(cpu)
    us = Math.min(us, ((performance.now() - from) * 1000) / operations)
    cpuUs = Math.min(cpuUs, (user + system) / operations)
  }
  console.log(`${name.padEnd(58)} ${us.toFixed(2).padStart(8)} us, CPU ${cpuUs.toFixed(2).padStart(6)} us per ${unit}`)
}

async function opened(supplier: StateDatabaseSupplier, path: string, cleanBytes: number): Promise<TaskState> {
  const database = await supplier.open(path)
  return TaskState.open({ database, stores: [{ name: 's', logged: true }], cleanBytes })
}

async function recordPath(supplier: StateDatabaseSupplier, count: number): Promise<void> {
  const task = await opened(supplier, `bench/${count}`, 64 * MIB)
  const store = task.store('s')
  const keys = keysOf(count)
  const records = visits(OPERATIONS, count)
  let offset = 0n
  await best(`savepoint + get + put, ${count} keys, commits included`, OPERATIONS, 'record', () => {
    for (let r = 0; r < records.length; r++) {
      task.savepoint()
      const key = keys[records[r] as number] as Buffer
      store.get(key)
      store.put(key, VALUE)
      if (r % RECORDS_PER_COMMIT === 0) task.commit(new Map([['s', ++offset]]))
    }
  })
  await best(`get alone, ${count} keys`, OPERATIONS, 'get', () => {
    for (const i of records) store.get(keys[i] as Buffer)
  })
  await best(`range of 10 among ${count} written keys`, 20_000, 'range', () => {
    for (const i of visits(20_000, count))
      for (const entry of store.range({ gte: keys[i] as Buffer, limit: 10 })) void entry
  })
  await task.close({ flush: false })
}

/** Windows of a minute, kept for five; a new one for every 20,000 records. */
async function windows(supplier: StateDatabaseSupplier, retainDuplicates: boolean): Promise<void> {
  const keys = keysOf(1000)
  const window = { retentionMs: 300_000, windowSizeMs: 60_000, retainDuplicates }
  const database = await supplier.open(`bench/windows-${retainDuplicates}`)
  const task = TaskState.open({ database, stores: [{ name: 'w', logged: true, window }] })
  const store = task.windowStore('w')
  let [offset, record] = [0n, 0]
  const what = retainDuplicates ? 'put of a duplicate' : 'get + put of a window'
  await best(`savepoint + ${what}, flushes included`, OPERATIONS, 'record', async () => {
    for (const end = record + OPERATIONS; record < end; record++) {
      task.savepoint()
      const [key, start] = [keys[record % keys.length] as Buffer, Math.floor(record / 20_000) * 60_000]
      if (!retainDuplicates) store.get(key, start)
      store.put(key, start, VALUE)
      if (record % RECORDS_PER_COMMIT === 0) task.commit(new Map([['w', ++offset]]))
    }
    await task.flush()
  })
  if (!retainDuplicates)
    await best('all windows of a key, from three segments', 20_000, 'fetch', () => {
      for (const i of visits(20_000, keys.length))
        for (const entry of store.fetch(keys[i] as Buffer, 0, Number.MAX_SAFE_INTEGER)) void entry
    })
  await task.close({ flush: false })
}

async function disk(supplier: StateDatabaseSupplier): Promise<void> {
  const count = 100_000
  const keys = keysOf(count)
  const task = await opened(supplier, 'bench/disk', 0)
  const store = task.store('s')
  let offset = 0n
  await best(`restore of ${count} rows`, count, 'row', () => {
    for (const key of keys) task.restore('s', key, VALUE)
    task.restored(new Map([['s', ++offset]]))
  })
  let longest = 0
  await best(`flush of ${count} rows`, count, 'row', async () => {
    task.restored(new Map([['s', ++offset]]))
    for (const key of keys) task.restore('s', key, VALUE)
    task.restored(new Map([['s', ++offset]]))
    let last = performance.now()
    let running = true
    const tick = (): void => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
      if (running) setImmediate(tick)
    }
    tick()
    await task.flush()
    running = false
  })
  console.log(`${'  longest the loop stood still in it'.padEnd(58)} ${longest.toFixed(0).padStart(9)} ms`)
  await best('get that no layer has', 20_000, 'get', () => {
    for (const i of visits(20_000, count)) store.get(keys[i] as Buffer)
  })
  await task.close({ flush: true })
  const cached = await opened(supplier, 'bench/disk', 512 * MIB)
  let from = 0
  await best('read-ahead by 1000 keys', 20_000, 'key', async () => {
    for (const to = from + 20_000; from < to; from += 1000) await cached.prefetch('s', keys.slice(from, from + 1000))
  })
  await cached.close({ flush: false })
}

async function memory(): Promise<void> {
  const count = 200_000
  const keys = keysOf(count)
  const task = await opened(memoryDatabases(), 'bench/memory', 0)
  await collect()
  const before = process.memoryUsage()
  for (const key of keys) task.store('s').put(key, VALUE)
  task.commit(new Map([['s', 1n]]))
  await collect()
  const after = process.memoryUsage()
  if (keys.length !== count) throw new Error('the keys must outlive the measurement')
  const used = after.heapUsed + after.external - before.heapUsed - before.external
  console.log(
    `memory of a row: ${(used / count).toFixed(0)} bytes, counted as ${(task.unflushedBytes / count).toFixed(0)}`,
  )
}

async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const directory = await mkdtemp(join(tmpdir(), 'bench-state-'))
try {
  await memory()
  const options = { blockCacheBytes: 128 * MIB, writeBufferBytes: 384 * MIB, notice: console.log }
  const supplier = rocksDatabases({ directory, ...options })
  for (const count of [1_000, 100_000]) await recordPath(supplier, count)
  for (const retainDuplicates of [false, true]) await windows(supplier, retainDuplicates)
  await disk(supplier)
  await supplier.close()
} finally {
  await rm(directory, { recursive: true, force: true })
}
