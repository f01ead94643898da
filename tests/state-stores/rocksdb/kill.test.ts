/** kill -9 of a process that commits and flushes: the store is the fold of a committed prefix each time, and never wiped. */

import { expect, test } from 'vitest'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { join } from 'node:path'
import { scratch } from './scratch.ts'

const KILLS = 6

function fold(changes: readonly string[]): [string, string][] {
  const rows = new Map<string, string>()
  for (const change of changes) {
    const [key, value] = change.split('=') as [string, string]
    if (value === '') rows.delete(key)
    else rows.set(key, value)
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
}

test('S4, S8: after each kill -9 rows and position are one committed prefix', { timeout: 60_000 }, async () => {
  const disk = await scratch()
  try {
    const changelog = join(disk.directory, 'changelog')
    let last = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const script = join(import.meta.dirname, 'kill-child.ts')
      const child = spawn(process.execPath, [script, disk.directory, changelog], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const said = String((await once(child.stdout, 'data'))[0])
      expect(said).toMatch(/^running from/)
      await wait(20 + kill * 37)
      child.kill('SIGKILL')
      await once(child, 'close')

      const changes = readFileSync(changelog, 'latin1').split('\n').slice(0, -1)
      const supplier = disk.supplier()
      const database = await supplier.open('app/0_0')
      const position = Number(database.position('s') ?? 0n)
      expect(position).toBeLessThanOrEqual(changes.length)
      expect(position).toBeGreaterThanOrEqual(last)
      const rows = [...database.range('s')].map(([k, v]): [string, string] => [k.toString(), v.toString()])
      expect(rows).toEqual(fold(changes.slice(0, position)))
      await supplier.close()
      last = position
    }
    expect(last).toBeGreaterThan(0)
    expect(disk.notices).toEqual([])
  } finally {
    await disk.remove()
  }
})
