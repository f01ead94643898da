/**
 * Commits and flushes without end until it is killed. Before each commit it appends what the commit changes to the
 * changelog file and syncs it, as a log does; so the file is the committed changelog, and the store must be a prefix of it.
 * A restart restores the tail first. Arguments: state directory, changelog file.
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { TaskState, rocksDatabases } from '../../../state-stores/index.ts'

const MIB = 1024 * 1024
const [directory, changelog] = process.argv.slice(2) as [string, string]
const supplier = rocksDatabases({ directory, blockCacheBytes: MIB, writeBufferBytes: 6 * MIB, notice: console.log })
const task = TaskState.open({ database: await supplier.open('app/0_0'), stores: [{ name: 's', logged: true }] })
const store = task.store('s')

const lines = existsSync(changelog) ? readFileSync(changelog, 'latin1').split('\n').slice(0, -1) : []
const from = Number(task.positions().get('s') ?? 0n)
for (const line of lines.slice(from)) {
  const [key, value] = line.split('=') as [string, string]
  task.restore('s', Buffer.from(key), value === '' ? null : Buffer.from(value))
}
task.restored(new Map([['s', BigInt(lines.length)]]))

const file = openSync(changelog, 'a')
let offset = lines.length
process.stdout.write(`running from ${from} of ${offset}\n`)
process.on('exit', () => closeSync(file))

for (let transaction = 0; ; transaction++) {
  for (let i = 0; i < 50; i++) {
    task.savepoint()
    const key = Buffer.from(`tenant-${i % 2}:${(offset * 7 + i * 13) % 300}`)
    if (i % 7 === 0) store.delete(key)
    else store.put(key, Buffer.from(`${offset}-${i}-`.padEnd(200, 'v')))
    if (i % 11 === 0) task.rollback()
  }
  if (transaction % 5 === 4) task.abort()
  const rows: string[] = []
  task.dirty((_, key, value) => rows.push(`${key.toString()}=${value?.toString() ?? ''}\n`))
  writeSync(file, rows.join(''))
  fsyncSync(file)
  offset += rows.length
  task.commit(new Map([['s', BigInt(offset)]]))
  if (transaction % 3 === 0 && !task.flushing) void task.flush()
  await new Promise((resolve) => setImmediate(resolve))
}
