/**
 * The application as a workload, without the simulator: one or two processes over a memory log and a hand-turned clock. What
 * the checks say of a run without faults is nothing, also when a process ends in the middle; that they can speak is tested
 * here too.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import type { Receipt, Reservation } from '../../api/index.ts'
import type { ProducerSession } from '../../connectors/kafka/index.ts'
import type { MemoryRow } from '../../sinks/index.ts'
import { checkFirstLight } from './application/checks/index.ts'
import type { Sending } from './application/clients.ts'
import { Draw } from './application/draw.ts'
import type { FirstLight } from './application/first-light.ts'
import { Reserved } from './application/reserved.ts'
import type { LogSeen, SeenEvent } from './application/seen.ts'
import { Seen } from './application/seen.ts'
import { Stage } from './application/stage.ts'
import type { SeenRecord } from './program.ts'

const said = (log: LogSeen, world: FirstLight): readonly string[] =>
  checkFirstLight(log, world).map(({ invariant, what }) => `${invariant} ${what}`)

const lively = { tenants: 4, companies: 10 }

describe('the application, without faults', () => {
  test('I1, I2, I9, I11, I12: every company comes to its end, and all that is said of it agrees', async () => {
    const stage = await new Stage('calm', lively).open()
    const node = await stage.start('p1')
    await stage.settle([node])
    expect(said(stage.seen, stage.world)).toEqual([])
    expect(stage.world.snapshots.length).toBeGreaterThan(5)
    expect(new Seen(stage.seen).of('research_started').length).toBeGreaterThanOrEqual(8)
    expect(repeatedCalls(stage.world)).toEqual([])
    await stage.whileTurning(node.close())
  })

  test('I9: a rebuild gives the same rows and calls no provider', async () => {
    const stage = await new Stage('rebuilt', lively).open()
    const node = await stage.start('p1')
    await stage.settle([node])
    const calls = stage.world.providers.entries.length
    const before = stage.world.tablesNow().rows
    expect([...before.values()].flat().length).toBeGreaterThan(100)
    for (const { name } of stage.world.projections) await stage.whileTurning(node.sinks.rebuild(name))
    const after = stage.world.tablesNow().rows
    const sorted = (rows: readonly MemoryRow[]): readonly MemoryRow[] =>
      rows.toSorted((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1))
    for (const [table, rows] of before) expect(sorted(after.get(table)!), table).toEqual(sorted(rows))
    expect(stage.world.providers.entries).toHaveLength(calls)
    expect(said(stage.seen, stage.world)).toEqual([])
    await stage.whileTurning(node.close())
  })

  test('I2: a second process that comes later takes its part, and goes on alone', async () => {
    const stage = await new Stage('two', lively).open()
    const first = await stage.start('p1')
    await stage.run(4_000)
    const second = await stage.start('p2')
    await stage.run(8_000)
    const tasks = second.worker.applications.map((application) => application.status().tasks)
    expect(tasks.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
    await stage.whileTurning(first.close())
    await stage.settle([second])
    expect(said(stage.seen, stage.world)).toEqual([])
    await stage.whileTurning(second.close())
  })

  test.each(['early', 'middle', 'late'])(
    'a process that ends in an orderly way in the middle (%s) is taken over',
    async (seed) => {
      const stage = await new Stage(seed, lively).open()
      const first = await stage.start('p1')
      await stage.run({ early: 2_000, middle: 6_000, late: 12_000 }[seed]!)
      await stage.whileTurning(first.close())
      await stage.run(1_500)
      const second = await stage.start('p1')
      await stage.settle([second])
      expect(said(stage.seen, stage.world)).toEqual([])
      await stage.whileTurning(second.close())
    },
  )
})

/** Lives that end by a kill, one after another, outside services that lose requests and answers; then a calm end. */
async function playDying(seed: string): Promise<Stage> {
  const stage = await new Stage(seed, lively).open()
  const draw = new Draw(`kills ${seed}`)
  stage.lossy = draw.of([0, 0.02, 0.06], 'lossy')
  for (let life = 0; life < 4; life++) {
    const { mortal, started } = stage.live('p1')
    started.catch(() => undefined)
    await stage.run(draw.between(200, 6_000, 'lives for', life))
    mortal.die()
    await stage.run(draw.between(0, 2_000, 'is down for', life))
  }
  stage.lossy = 0
  const last = await stage.start('p1')
  await stage.settle([last])
  await stage.whileTurning(last.close())
  await stage.seen.look()
  return stage
}

describe('the application whose process is killed', () => {
  test.each((process.env['KILLS'] ?? 'a b c d').split(' '))(
    'everything is accounted for all the same (seed %s)',
    async (seed) => {
      const stage = await playDying(seed)
      expect(said(stage.seen, stage.world)).toEqual([])
    },
  )
})

/** Calls that a provider did twice under one attempt. */
function repeatedCalls({ providers }: FirstLight): string[] {
  const names = providers.entries.map(({ provider, key, attempt }) => `${provider} ${key} ${attempt}`)
  return names.filter((name, n) => names.indexOf(name) !== n)
}

describe('the checks speak', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await new Stage('told', lively).open()
    const node = await stage.start('p1')
    await stage.settle([node])
    await stage.whileTurning(node.close())
    await stage.seen.look()
  })

  test('of nothing when nothing is wrong', () => expect(said(stage.seen, stage.world)).toEqual([]))

  test.each([
    'research_completed',
    'message_sent',
    'review_decided',
    'email_verified',
    'lifecycle_started',
    'call_answered',
  ])('I1: of a lost %s', (type) => {
    const [victim] = new Seen(stage.seen).of(type)
    expect(
      said(
        changed(stage.seen, (record) => (isAt(record, victim!) ? [] : [record])),
        stage.world,
      ).join('\n'),
    ).toMatch(/^I[12] /m)
  })

  test.each([
    'research_completed',
    'message_sent',
    'call_requested',
    'email_verified',
    'lifecycle_started',
    'finding_recorded',
  ])('I2: of a doubled %s', (type) => {
    const victim = new Seen(stage.seen).of(type).at(-1)!
    const doubled = changed(stage.seen, (record) => (isAt(record, victim) ? [record, { ...record }] : [record]))
    expect(said(doubled, stage.world).join('\n')).toMatch(/^I2 /m)
  })

  test('I3: of a provider that was asked for what was never committed, and of an answer nobody asked for', () => {
    const [request] = new Seen(stage.seen).of('call_requested')
    const lines = said(
      changed(stage.seen, (record) => (isAt(record, request!) ? [] : [record])),
      stage.world,
    )
    expect(lines.filter((line) => line.startsWith('I3')).length).toBeGreaterThanOrEqual(2)
  })

  test('I2: of a call that one process did twice without a reason, and not when its task was taken away in between', () => {
    const { entries } = stage.world.providers
    const entry = entries.find(({ provider }) => provider === 'perplexity')!
    entries.push({ ...entry, sentAt: entry.sentAt + 100, at: entry.at + 100 })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I2 perplexity .* without a reason$/m)
    stage.world.incidents.push({ at: entry.sentAt + 50, life: entry.caller })
    expect(said(stage.seen, stage.world)).toEqual([])
    entries.pop()
    stage.world.incidents.pop()
  })

  const acknowledged = (): { readonly sending: Sending; readonly one: SeenEvent } => {
    const { events } = new Seen(stage.seen)
    for (const sending of stage.world.clients.sendings)
      for (const answer of sending.answers) {
        const one = 'refused' in answer ? undefined : events.find(({ event }) => event.event_id === answer.eventIds[0])
        if (sending.request.key !== undefined && one !== undefined) return { sending, one }
      }
    throw new Error('no request with a key was acknowledged')
  }

  test('I1, I18: of a request that was acknowledged and is not there, or is there twice', () => {
    const { one } = acknowledged()
    const gone = changed(stage.seen, (record) => (isAt(record, one) ? [] : [record]))
    expect(said(gone, stage.world).join('\n')).toMatch(/^I1 request .* was acknowledged and is not there$/m)
    const twice = changed(stage.seen, (record) => (isAt(record, one) ? [record, { ...record }] : [record]))
    expect(said(twice, stage.world).join('\n')).toMatch(/^I(2|18) /m)
  })

  test('I18: of a key that was answered twice, each time otherwise, and of one that was refused without a reason', () => {
    const { sending } = acknowledged()
    const receipt = sending.answers.find((answer) => !('refused' in answer)) as Receipt
    sending.answers.push({ ...receipt, positions: ['review_events-0@999'] })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I18 request .* was answered .* and /m)
    sending.answers.pop()
    sending.answers.push({ refused: 422, code: 'invalid_payload' })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I18 request .* was refused as 422/m)
    sending.answers.pop()
  })

  test('I18: of a takeover that fenced nobody, and not of one whose owner was replaced before it wrote', () => {
    const reserved = new Reserved()
    const session = (epoch: number): ProducerSession => ({ producerId: 7n, epoch }) as ProducerSession
    const row = (key: string, owner: string): Reservation => ({
      tenantId: 't',
      key,
      bodyHash: Buffer.alloc(32),
      eventIds: ['e'],
      endOffsets: new Map(),
      owner,
      attempt: 0,
      positions: null,
    })
    reserved.opened('p1.2', 'ingest-p1', session(4))
    for (const [key, owner] of [
      ['older', 'ingest-p1@7.3'],
      ['same', 'ingest-p1@7.4'],
      ['another', 'ingest-p2@8.0'],
    ] as const) {
      reserved.reserve('p1.1', row(key, owner), 0)
      expect(reserved.claim('p1.2', row(key, owner), 'ingest-p1@7.4')).toBe(true)
    }
    expect(reserved.takeovers.map(({ key, fenced }) => [key, fenced])).toEqual([
      ['older', true],
      ['same', false],
      ['another', false],
    ])
    stage.world.reservations.takeovers.push(reserved.takeovers[1]!)
    expect(said(stage.seen, stage.world)).toEqual(['I18 p1.2 took over same and did not fence p1.1'])
    stage.world.reservations.takeovers.pop()
  })

  test('I9: of a row that its topic does not say', () => {
    const now = stage.world.tablesNow()
    const rows = new Map(now.rows)
    rows.set('research_sessions', now.rows.get('research_sessions')!.slice(1))
    stage.world.snapshots.push({ ...now, rows })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I9 research-sessions at .* is missing/m)
    stage.world.snapshots.pop()
    const [first, ...others] = now.offsets
    const beyond = { ...first!, nextOffset: stage.seen.end(first!.topic, first!.partition) + 1n }
    stage.world.snapshots.push({ ...now, offsets: [beyond, ...others] })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I9 .* is beyond the log$/m)
    stage.world.snapshots.pop()
  })

  test('I11: of data of one tenant under the key of another, and of what is personal in clear', () => {
    const [a, b] = [...new Set(stage.world.companies.map(({ tenant }) => tenant))]
    const [victim] = new Seen(stage.seen).of('client_created').filter(({ event }) => event.tenant_id === a!.tenantId)
    const holding = (text: string): LogSeen =>
      changed(stage.seen, (record) =>
        isAt(record, victim!)
          ? [{ ...record, headers: [{ key: 'note', value: Buffer.from(`about ${text}`) }] }]
          : [record],
      )
    expect(said(holding(b!.canary), stage.world).join('\n')).toMatch(/^I11 .* holds its data$/m)
    expect(said(holding(a!.secret), stage.world).join('\n')).toMatch(/^I11 .* shows what is personal/m)
    stage.world.notices.push({ at: 0, life: 'p1', line: `trouble with ${b!.canary}` })
    expect(said(stage.seen, stage.world).join('\n')).toMatch(/^I11 the notice/m)
    stage.world.notices.pop()
  })

  test('I12: of a dead letter', () => {
    const [victim] = new Seen(stage.seen).of('client_created')
    const dead = changed(
      stage.seen,
      (record) => [record],
      (topic, partition) =>
        topic === 'client_events.dlq' && partition === 0
          ? [{ ...stage.seen.committed(victim!.topic, victim!.partition)[0]!, topic }]
          : [],
    )
    expect(said(dead, stage.world).join('\n')).toMatch(/^I12 client_events.dlq-0@/m)
  })
})

/** The log with its records changed on the way. */
function changed(
  log: LogSeen,
  change: (record: SeenRecord) => readonly SeenRecord[],
  added: (topic: string, partition: number) => readonly SeenRecord[] = () => [],
): LogSeen {
  return {
    topics: () => log.topics(),
    partitions: (topic) => log.partitions(topic),
    records: (topic, partition) => [...log.records(topic, partition).flatMap(change), ...added(topic, partition)],
    committed: (topic, partition) => [...log.committed(topic, partition).flatMap(change), ...added(topic, partition)],
    end: (topic, partition) => log.end(topic, partition),
    earliestWall: (wallMs) => log.earliestWall(wallMs),
  }
}

const isAt = (record: SeenRecord, seen: SeenEvent): boolean =>
  record.topic === seen.topic && record.partition === seen.partition && record.offset === seen.offset
