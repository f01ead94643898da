/**
 * The simulator in every test run: the kept seeds, a modest number of new ones, the same seed twice, and worlds that are
 * broken on purpose. `npm run simulate` runs as many as one likes.
 */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { storeContract } from '../contracts/store.ts'
import { canaries } from './canaries.ts'
import { StateDisk } from './databases.ts'
import { Kept } from './kept-seeds.ts'
import { Life } from './process.ts'
import { Chance } from './random.ts'
import { Scheduler } from './scheduler.ts'

const run = promisify(execFile)
const main = join(import.meta.dirname, 'main.ts')

interface Ran {
  readonly code: number
  readonly text: string
}

/** Runs the simulator as a person would, in a process of its own. */
async function simulate(...args: string[]): Promise<Ran> {
  try {
    const { stdout } = await run(process.execPath, [main, ...args], { maxBuffer: 1 << 26 })
    return { code: 0, text: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, text: `${stdout}${stderr}` }
  }
}

const hashOf = ({ text }: Ran): string => /trace hash (\w+)/.exec(text)?.[1] ?? text

describe('the simulator', () => {
  test('kept seeds and new ones pass: I1 to I10, I12 to I15, I17', { timeout: 300_000 }, async () => {
    const { code, text } = await simulate('--seeds', '60', '--no-keep')
    expect(text).toContain('60 seeds'.replace('60', String(60 + kept.jobs.length)))
    expect(code, text).toBe(0)
  })

  test('a seed run twice in fresh processes gives the same trace (I16)', { timeout: 300_000 }, async () => {
    for (const seed of ['7', '8', '11', '13', '17']) {
      const [once, twice] = await Promise.all([simulate('--seed', seed), simulate('--seed', seed)])
      expect(hashOf(once)).toMatch(/^\w{16}$/)
      expect(hashOf(twice)).toBe(hashOf(once))
    }
  })

  test.each([
    ['lost batch', 'I([1256]|1[235])'],
    ['dirty reads', 'I[2567]'],
    ['offsets outside', 'I([267]|13)'],
  ])('a world with the bug "%s" is caught', { timeout: 300_000 }, async (canary, invariant) => {
    expect(canaries).toHaveProperty([canary])
    const { code, text } = await simulate('--seeds', '12', '--no-keep', '--no-replay', '--canary', canary)
    expect(code, text).toBe(1)
    expect(text).toMatch(new RegExp(`^ {2}${invariant}: `, 'm'))
  })
})

const kept = new Kept(readFileSync(join(import.meta.dirname, 'failing-seeds.txt'), 'utf8'), () => undefined)

/** A machine of its own for a test of one part: its events happen by themselves. */
function lonelyLife(): { life: Life; stop: () => void } {
  const scheduler = new Scheduler({ maxEvents: Infinity })
  let stopped = false
  const idle = (): void => void scheduler.after(1000, 'test', 'idle', idle)
  idle()
  void scheduler.run(Infinity, () => stopped)
  const life = new Life({
    scheduler,
    chance: new Chance('test'),
    process: 'p',
    life: 'p.1',
    epochMs: 0,
    skewMs: 0,
    skewed: () => undefined,
    crashes: () => false,
    uncaught: (error) => {
      throw error as Error
    },
  })
  return { life, stop: () => (stopped = true) }
}

storeContract('simulated databases', async () => {
  const { life, stop } = lonelyLife()
  const disk = new StateDisk(10)
  return {
    supplier: () => disk.open(life),
    cleanup: async () => stop(),
  }
})
