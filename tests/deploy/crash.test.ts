import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../deploy/config.ts'
import { crashAt } from '../../deploy/crash.ts'

describe('CRASH_POINT', () => {
  test('dies at the n-th pass of that place, and at no other', () => {
    const deaths: string[] = []
    const crash = crashAt('C07:3', () => deaths.push('dead'))
    for (const name of ['C07', 'C08', 'C07', 'C06'] as const) crash(name)
    expect(deaths).toEqual([])
    crash('C07')
    expect(deaths).toEqual(['dead'])
  })

  test('without a number it is the first pass; not given, none', () => {
    const deaths: string[] = []
    crashAt('C10', () => deaths.push('dead'))('C10')
    crashAt(null, () => deaths.push('dead'))('C10')
    expect(deaths).toEqual(['dead'])
  })

  test('the process ends as by kill -9', () => {
    const file = join(import.meta.dirname, '../../deploy/crash.ts')
    const script = `import { crashAt } from ${JSON.stringify(file)}; crashAt('C01')('C01'); setTimeout(() => {}, 5000)`
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 })
    expect(signal).toBe('SIGKILL')
  })

  test('is for development alone, and must be a place that there is', () => {
    const errors = (environment: Record<string, string>): readonly string[] => {
      const result = readConfig(environment)
      return 'errors' in result ? result.errors : []
    }
    expect(errors({ CRASH_POINT: 'C07:3' })).toEqual([])
    expect(errors({ CRASH_POINT: 'C34' })).toEqual([
      'CRASH_POINT: "C34" is given; wanted a place as C07, or C07:3 for its third pass',
    ])
    expect(errors({ CRASH_POINT: 'C07', MODE: 'production' })).toContain(
      'CRASH_POINT: is given; wanted in development only: the process would kill itself',
    )
  })
})
