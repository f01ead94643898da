import { appendFileSync, statSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Agenda } from '../../../connectors/sandbox/agenda.ts'
import { DayRecords } from '../../../connectors/sandbox/day-records.ts'
import { Records } from '../../../connectors/sandbox/records.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'agenda-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const start = 1_000
const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 5))

describe('agenda', () => {
  const open = (clock: HandClock, done: string[]) => {
    const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
    agenda.on('say', ({ id }) => void done.push(`${id}@${clock.now()}`))
    return agenda
  }

  it('does entries in the order of their times, those of one time as they were noted', async () => {
    const clock = new HandClock(start)
    const done: string[] = []
    const agenda = open(clock, done)
    agenda.start()
    for (const [id, at] of [
      ['c', 3_000],
      ['a', 2_000],
      ['b', 2_000],
    ] as const)
      agenda.note({ id, at, kind: 'say', data: null })
    expect(agenda.nextAt()).toBe(2_000)
    expect(agenda.upcoming(2).map(({ id }) => id)).toEqual(['a', 'b'])
    await clock.turnTo(2_500)
    await settled()
    expect(done).toEqual(['a@2000', 'b@2000'])
    await clock.turnTo(9_000)
    await settled()
    expect(done).toEqual(['a@2000', 'b@2000', 'c@3000'])
    expect(agenda.nextAt()).toBeNull()
  })

  it('still knows after a kill what was to come, and what had begun and not ended (AG1)', async () => {
    const clock = new HandClock(start)
    const first = new Agenda(join(directory, 'agenda.ndjson'), clock)
    first.on('say', () => new Promise<void>(() => undefined))
    first.start()
    first.note({ id: 'begun', at: start, kind: 'say', data: null })
    first.note({ id: 'later', at: 5_000, kind: 'say', data: null })
    await settled()
    expect(first.isBusy).toBe(true)
    const done: string[] = []
    const second = open(clock, done)
    second.start()
    await settled()
    expect(done).toEqual(['begun@1000'])
    await clock.turnTo(5_000)
    await settled()
    expect(done).toEqual(['begun@1000', 'later@5000'])
    const third = open(clock, done)
    third.start()
    await settled()
    expect(done).toHaveLength(2)
  })

  it('keeps a lane in order while another lane goes on (AG2)', async () => {
    const clock = new HandClock(start)
    const done: string[] = []
    const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
    const slow = Promise.withResolvers<undefined>()
    agenda.on('slow', async ({ id }) => {
      await slow.promise
      done.push(id)
    })
    agenda.on('say', ({ id }) => void done.push(id))
    agenda.start()
    agenda.note({ id: 'a1', at: start, kind: 'slow', data: null, lane: 'a' })
    agenda.note({ id: 'a2', at: start, kind: 'say', data: null, lane: 'a' })
    agenda.note({ id: 'b1', at: start, kind: 'say', data: null, lane: 'b' })
    await settled()
    expect(done).toEqual(['b1'])
    slow.resolve(undefined)
    await settled()
    expect(done).toEqual(['b1', 'a1', 'a2'])
  })

  it('lets a handler note itself again for later, and forgets what is cancelled', async () => {
    const clock = new HandClock(start)
    const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
    const seen: number[] = []
    agenda.on('again', (entry) => {
      seen.push(clock.now())
      if (seen.length < 3) agenda.note({ ...entry, at: clock.now() + 100 })
    })
    agenda.start()
    agenda.note({ id: 'x', at: start, kind: 'again', data: null })
    agenda.note({ id: 'never', at: start + 50, kind: 'again', data: null })
    agenda.cancel('never')
    for (const time of [1_050, 1_100, 1_150, 1_200, 1_500]) {
      await settled()
      await clock.turnTo(time)
    }
    await settled()
    expect(seen).toEqual([1_000, 1_100, 1_200])
  })
})

describe('records', () => {
  const path = () => join(directory, 'things.ndjson')

  it('has after a kill what was put, also behind a line that was cut short', () => {
    const records = new Records<{ n: number }>(path())
    records.put('a', { n: 1 })
    records.put('b', { n: 2 })
    records.put('a', { n: 3 })
    records.delete('b')
    records.put('c', { n: 4 })
    appendFileSync(path(), '["d",{"n":')
    const again = new Records<{ n: number }>(path())
    expect([...again.values()]).toEqual([{ n: 3 }, { n: 4 }])
    again.put('e', { n: 5 })
    expect(new Records<{ n: number }>(path()).get('e')).toEqual({ n: 5 })
  })

  it('is bounded in bytes, whatever the size of its values', () => {
    const records = new Records<string>(path())
    for (let n = 0; n < 40; n++) records.put('a', `${n} ${'é'.repeat(500_000)}`)
    records.put('b', 'small')
    expect(statSync(path()).size).toBeLessThan(20_000_000)
    const again = new Records<string>(path())
    expect([again.get('a')?.slice(0, 3), again.get('b')]).toEqual(['39 ', 'small'])
  })

  it('writes itself anew when most of it is outdated, and loses nothing', () => {
    const records = new Records<number>(path())
    for (let n = 0; n < 5_000; n++) records.put(`k${n % 10}`, n)
    expect(statSync(path()).size).toBeLessThan(30_000)
    const again = new Records<number>(path())
    expect([...again.values()]).toEqual([4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999])
  })
})

describe('records of a day', () => {
  const path = () => join(directory, 'keys.ndjson')
  const hour = 60 * 60 * 1000

  it('are known for a day, let go with the next, and are read after a kill with their times', () => {
    let now = start
    const open = () => new DayRecords<number>(path(), () => now)
    const records = open()
    for (let n = 0; n < 240; n++) {
      records.put(`k${n}`, n)
      now += hour
    }
    expect(records.size).toBe(24)
    expect([records.get('k216'), records.get('k217')]).toEqual([undefined, 217])
    const again = open()
    expect([again.get('k216'), again.get('k217'), again.get('k239')]).toEqual([undefined, 217, 239])
    again.put('k217', 1)
    now += 23 * hour
    expect([again.get('k217'), again.get('k239')]).toEqual([1, undefined])
  })

  it('without a time are over: an earlier form of the file had none', () => {
    appendFileSync(path(), '["old",{"fingerprint":"x"}]\n')
    expect(new DayRecords<number>(path(), () => start).get('old')).toBeUndefined()
  })
})
