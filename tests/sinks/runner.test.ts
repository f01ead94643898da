import { afterEach, describe, expect, test } from 'vitest'
import type { FetchRequest, GroupOptions, Log, RebalanceListener } from '../../connectors/kafka/index.ts'
import { authEvents, clientEvents, researchEvents } from '../../schemas/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import type { CommitOutcome, SinkBatch, SinkRunner, Table, TablePort } from '../../sinks/index.ts'
import { defineProjection, MemoryTables, SinkError, projections } from '../../sinks/index.ts'
import { organizationsTable } from '../../sinks/projections/organizations.ts'
import { teamMembershipsTable } from '../../sinks/projections/team-memberships.ts'
import {
  eventOf,
  eventually,
  jsonSerde,
  LogFixture,
  organizationId,
  settled,
  tenantA,
  tenantB,
  userId,
} from './sink-fixture.ts'

const running: SinkRunner[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((runner) => runner.stop()))
})
function started(runner: SinkRunner): SinkRunner {
  runner.start()
  running.push(runner)
  return runner
}

const created = (tenant: string, organization = 1): AnyEvent =>
  eventOf(authEvents, 'organization_created', { owner_user_id: userId(organization) }, { tenant, organization })
const names = (tables: MemoryTables, table: Table = organizationsTable): unknown[] =>
  tables
    .rows(table)
    .map(({ key }) => key['organization_id'])
    .toSorted()

/** Memory tables with something that goes wrong in front. */
function troubled(
  tables: MemoryTables,
  commit: (batch: SinkBatch, inner: () => Promise<CommitOutcome>) => Promise<CommitOutcome>,
): TablePort {
  return {
    claim: (source, first) => tables.claim(source, first),
    commit: (batch) => commit(batch, () => tables.commit(batch)),
    reset: (projection) => tables.reset(projection),
    offsets: () => tables.offsets(),
    erase: (of, tenant) => tables.erase(of, tenant),
  }
}

describe('SinkRunner', () => {
  test('rows follow what is committed, of both tenants, and a reader can wait for their own write', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const runner = started(fixture.runner(tables))
    const a = await fixture.append(authEvents, created(tenantA))
    const b = await fixture.append(authEvents, created(tenantB))
    expect(await runner.waitFor('organizations', 'auth_events', a.partition, a.offset, 5_000)).toBe(true)
    expect(await runner.waitFor('organizations', 'auth_events', b.partition, b.offset, 5_000)).toBe(true)
    expect(names(tables)).toEqual([organizationId(tenantA, 1), organizationId(tenantB, 1)])
    expect(runner.position('organizations').get(a.partition)).toBeGreaterThan(a.offset)
    expect(await runner.waitFor('organizations', 'auth_events', a.partition, a.offset + 100n, 20)).toBe(false)
    expect(await runner.waitFor('organizations', 'other_topic', 0, 9n, 20)).toBe(true)
    expect(() => runner.waitFor('nothing', 'auth_events', 0, 0n, 0)).toThrow('there is no projection nothing')
  })

  test('is quiet when it has its partitions and what was read is in the rows of every projection, and not before', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const held = Promise.withResolvers<undefined>()
    const slow = troubled(tables, async (batch, inner) => {
      if (batch.claim.source.sink === 'team-memberships') await held.promise
      return inner()
    })
    const runner = started(fixture.runner(slow))
    expect(runner.isQuiet).toBe(false)
    await eventually(() => runner.isQuiet, 'partitions')
    expect(runner.status().every(({ partitions }) => partitions.length > 0)).toBe(true)
    const before = runner.places()
    for (const tenant of [tenantA, tenantB]) await fixture.append(authEvents, created(tenant))
    try {
      await eventually(() => names(tables).length === 2, 'rows of one projection')
      await eventually(() => !runner.isQuiet, 'a batch that is held')
    } finally {
      held.resolve(undefined)
    }
    await settled(fixture.log, tables)
    await eventually(() => runner.isQuiet, 'quiet')
    const moved = runner.places().filter(({ position }, index) => position !== before[index]!.position)
    expect(new Set(moved.map(({ topic }) => topic))).toEqual(new Set(['auth_events']))
  })

  test('is not quiet while it waits out trouble, and is when a person must act', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    let trouble: Error | null = new Error('the database is away')
    const away = troubled(tables, (_, inner) => (trouble === null ? inner() : Promise.reject(trouble)))
    const runner = started(fixture.runner(away))
    await eventually(() => runner.isQuiet, 'partitions')
    for (const tenant of [tenantA, tenantB]) await fixture.append(authEvents, created(tenant))
    await eventually(() => runner.status().some(({ state }) => state === 'waiting'), 'trouble')
    expect(runner.isQuiet).toBe(false)
    trouble = new SinkError('REFUSED', 'somebody must look')
    const readers = runner.status().filter(({ topic }) => topic === 'auth_events').length
    await eventually(() => runner.status().filter(({ state }) => state === 'refused').length === readers, 'refusal')
    await eventually(() => runner.isQuiet, 'quiet')
  })

  test('is not quiet before its partitions are claimed, nor while it cannot ask whether they still are', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const claims = Promise.withResolvers<undefined>()
    let [asked, away] = [0, false]
    const slow: TablePort = {
      ...troubled(tables, (_, inner) => inner()),
      claim: async (source, first) => {
        asked++
        await claims.promise
        return tables.claim(source, first)
      },
      offsets: () => (away ? Promise.reject(new Error('the database is away')) : tables.offsets()),
    }
    const runner = started(fixture.runner(slow, { settings: { claimCheckMs: 0 } }))
    try {
      await eventually(() => asked > 0, 'a claim that is held')
      expect(runner.isQuiet).toBe(false)
    } finally {
      claims.resolve(undefined)
    }
    await eventually(() => runner.isQuiet, 'partitions')
    away = true
    await eventually(() => runner.status().every(({ state }) => state === 'waiting'), 'trouble')
    expect(runner.isQuiet).toBe(false)
    away = false
    await eventually(() => runner.isQuiet, 'quiet')
  })

  test('P4: after a restart it goes on where SQL stands, and rows are those of one run', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    await fixture.append(authEvents, created(tenantA), created(tenantB))
    const first = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    await first.stop()
    expect(first.status().every(({ state }) => state === 'stopped')).toBe(true)
    await fixture.append(authEvents, created(tenantA, 2), created(tenantB, 2))
    let records = 0
    started(
      fixture.runner(tables, {
        onProgress: (progress) => void (progress.projection === 'organizations' && (records += progress.records)),
      }),
    )
    await settled(fixture.log, tables)
    expect(names(tables)).toHaveLength(4)
    expect(records).toBe(2)
  })

  test('P4: several runners share the partitions, each record is applied once, and who stops leaves its part', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const of = projections.filter(({ name }) => name === 'organizations')
    const applied: number[] = [0, 0, 0]
    const runners = applied.map((_, i) =>
      started(
        fixture.runner(tables, {
          projections: of,
          settings: { sessionTimeoutMs: 300 },
          onProgress: ({ records }) => void (applied[i]! += records),
        }),
      ),
    )
    const parts = (runner: SinkRunner): number[] => runner.status()[0]!.partitions.map(({ partition }) => partition)
    const shared = (): string => JSON.stringify(runners.map((runner) => parts(runner).length))
    await eventually(() => shared() === '[1,1,1]', 'one partition each')
    const all = Array.from({ length: 30 }, (_, i) => created(tenantA, i + 1))
    await fixture.append(authEvents, ...all)
    await settled(fixture.log, tables, of)
    expect(names(tables)).toHaveLength(30)
    expect(applied.reduce((a, b) => a + b)).toBe(30)
    expect(applied.every((records) => records > 0)).toBe(true)
    await runners[0]!.stop()
    await eventually(
      () => new Set([...parts(runners[1]!), ...parts(runners[2]!)]).size === 3,
      'the others have its part',
    )
    await fixture.append(authEvents, created(tenantB), created(tenantB, 2), created(tenantB, 3))
    await settled(fixture.log, tables, of)
    expect(applied.reduce((a, b) => a + b)).toBe(33)
  })

  test('P6: a session that ends for good is trouble, waited out and begun anew', async () => {
    const { log } = await new LogFixture().open()
    let refused = 0
    const join: typeof log.joinGroup = (options) =>
      log.joinGroup(refused++ < 4 ? { ...options, sessionTimeoutMs: 0 } : options)
    const get = (target: Log, name: string | symbol): unknown => {
      const member: unknown = name === 'joinGroup' ? join : Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    }
    const fixture = new LogFixture(new Proxy(log, { get }))
    const runner = started(fixture.runner(new MemoryTables(), { projections: projections.slice(0, 1) }))
    await eventually(() => runner.status()[0]!.state === 'waiting', 'trouble shows')
    expect(runner.status()[0]!.trouble).toContain('session timeout')
    await eventually(() => runner.status()[0]!.partitions.length === 3, 'it joined again')
    await eventually(() => runner.status()[0]!.state === 'running', 'it works')
    // A session that was only opened is no end of it: four refusals are one line.
    expect(fixture.notices.filter((line) => line.startsWith('sink '))).toEqual([
      expect.stringMatching(/^sink organizations: waiting: .*session timeout/),
      'sink organizations: goes on',
    ])
  })

  test('nothing of an open or aborted transaction is projected', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    started(fixture.runner(tables))
    const producer = await fixture.log.openProducer({ transactionalId: 't', transactionTimeoutMs: 60_000 })
    const { RecordBatchBuilder, partitionFor } = await import('../../connectors/kafka/index.ts')
    const send = async (event: AnyEvent, outcome: 'commit' | 'abort'): Promise<void> => {
      const key = Buffer.from(`${event.tenant_id}|${event.organization_id}`)
      const records = new RecordBatchBuilder()
      records.append(event.timestamp, key, jsonSerde.serialize(event, key))
      producer.begin()
      await producer.append([{ topic: 'auth_events', partition: partitionFor(key, 3), records }])
      await producer.end(outcome)
    }
    await send(created(tenantA, 1), 'abort')
    await send(created(tenantB, 1), 'commit')
    await send(created(tenantA, 2), 'commit')
    await settled(fixture.log, tables)
    expect(names(tables)).toEqual([organizationId(tenantA, 2), organizationId(tenantB, 1)])
  })

  test('P5: records that cannot be used are dead letters with their reason, and work goes on', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const strange = { ...created(tenantA, 7), tenant_id: 'not-a-uuid' } as AnyEvent
    await fixture.append(authEvents, Buffer.from('{broken'), created(tenantA), strange, created(tenantB))
    const runner = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    expect(names(tables)).toEqual([organizationId(tenantA, 1), organizationId(tenantB, 1)])
    const letters = (await fixture.read('auth_events.dlq')).filter(
      ({ headers }) => headers['dlq-application'] === 'sink-organizations',
    )
    expect(letters.map(({ value, headers }) => [headers['dlq-reason'], value.slice(0, 7)]).toSorted()).toEqual([
      ['bad_frame', '{broken'],
      ['bad_row', JSON.stringify(strange).slice(0, 7)],
    ])
    expect(letters[0]?.headers).toMatchObject({ 'dlq-topic': 'auth_events' })
    expect(runner.status().find(({ name }) => name === 'organizations')).toMatchObject({
      deadLetters: 2,
      state: 'running',
    })
  })

  test('P5: a projection that throws sets the record aside under its own name only', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const real = projections.find(({ name }) => name === 'organizations')!
    const throwing = defineProjection({
      ...real,
      apply: (event, place) => {
        if ((event as AnyEvent).tenant_id === tenantB) throw new TypeError('cannot read')
        return real.apply(event, place)
      },
    })
    const others = projections.filter(({ name }) => name !== 'organizations')
    await fixture.append(authEvents, created(tenantA), created(tenantB))
    started(fixture.runner(tables, { projections: [throwing, ...others] }))
    await settled(fixture.log, tables)
    expect(names(tables)).toEqual([organizationId(tenantA, 1)])
    expect(tables.rows(teamMembershipsTable)).toHaveLength(2)
    expect(
      (await fixture.read('auth_events.dlq')).map(({ headers }) => [
        headers['dlq-application'],
        headers['dlq-reason'],
        headers['dlq-message'],
      ]),
    ).toEqual([['sink-organizations', 'apply_failed', 'TypeError: cannot read']])
  })

  test('P5: a row that the database refuses is found by halving; its neighbours are written', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const isRefused = (batch: SinkBatch): boolean =>
      batch.changes.some(({ key }) => key['organization_id'] === organizationId(tenantA, 5))
    const strict = troubled(tables, (batch, inner) =>
      isRefused(batch) ? Promise.resolve({ kind: 'rejected', reason: 'too wide' }) : inner(),
    )
    for (let n = 1; n <= 20; n++) await fixture.append(authEvents, created(tenantA, n), created(tenantB, n))
    started(fixture.runner(strict, { projections: projections.filter(({ name }) => name === 'organizations') }))
    await settled(fixture.log, tables, projections.slice(0, 1))
    expect(names(tables)).toHaveLength(39)
    expect(names(tables)).not.toContain(organizationId(tenantA, 5))
    const letters = await fixture.read('auth_events.dlq')
    expect(letters.map(({ headers }) => [headers['dlq-reason'], headers['dlq-message']])).toEqual([
      ['row_rejected', 'too wide'],
    ])
  })

  test('P5: a projection that would turn its topic into dead letters is stopped instead', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const settings = { deadLettersPerMinute: 3, fetchBytes: 1 }
    await fixture.append(authEvents, ...Array.from({ length: 3 }, () => Buffer.from('poison')))
    const runner = started(fixture.runner(tables, { settings }))
    await settled(fixture.log, tables)
    expect(runner.status().every(({ state }) => state !== 'refused')).toBe(true)
    await fixture.append(
      authEvents,
      created(tenantA),
      created(tenantB),
      ...Array.from({ length: 9 }, () => Buffer.from('poison')),
    )
    await eventually(() => runner.status()[0]?.state === 'refused', 'refused')
    expect(runner.status()[0]?.trouble).toContain(
      'most records of the last minute were dead letters, the last one for bad_frame',
    )
    expect(runner.status()[0]?.deadLetters).toBeLessThan(12)
  })

  test('an event type this version does not know is passed over and counted', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    await fixture.append(
      authEvents,
      eventOf(authEvents, 'organization_renamed_in_2031'),
      created(tenantA),
      created(tenantB),
    )
    const runner = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    expect(names(tables)).toHaveLength(2)
    expect(runner.status().find(({ name }) => name === 'organizations')).toMatchObject({
      unknownEvents: 1,
      deadLetters: 0,
    })
  })

  test('P6: trouble of one projection is waited out and stops no other', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    let isDown = true
    const flaky = troubled(tables, (batch, inner) => {
      if (isDown && batch.claim.source.sink === 'organizations') return Promise.reject(new Error('database is down'))
      return inner()
    })
    const place = await fixture.append(authEvents, created(tenantA))
    await fixture.append(authEvents, Buffer.from('broken'), created(tenantB))
    const runner = started(fixture.runner(flaky))
    expect(await runner.waitFor('team-memberships', 'auth_events', place.partition, place.offset, 5_000)).toBe(true)
    const state = (): unknown => runner.status().find(({ name }) => name === 'organizations')
    await eventually(() => (state() as { state: string }).state === 'waiting', 'waiting')
    expect(state()).toMatchObject({ trouble: 'database is down' })
    expect(names(tables)).toEqual([])
    // Several attempts later the outage is still one line, and its dead letter one record.
    await new Promise((done) => setTimeout(done, 100))
    isDown = false
    await settled(fixture.log, tables)
    expect(names(tables)).toHaveLength(2)
    expect(fixture.notices.filter((line) => line.startsWith('sink organizations:'))).toEqual([
      'sink organizations: waiting: database is down',
      'sink organizations: goes on',
    ])
    const letters = await fixture.read('auth_events.dlq')
    expect(letters.filter(({ headers }) => headers['dlq-application'] === 'sink-organizations')).toHaveLength(1)
  })

  test('P6: what decoding needs and cannot get now is waited for; the record is no dead letter', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    let isAway = true
    const serde = {
      ...jsonSerde,
      prepare: () => (isAway ? Promise.reject(new Error('the registry is away')) : Promise.resolve()),
    }
    await fixture.append(authEvents, created(tenantA), created(tenantB))
    const runner = started(fixture.runner(tables, { decode: () => serde }))
    await eventually(() => runner.status().some(({ trouble }) => trouble === 'the registry is away'), 'waiting')
    isAway = false
    await settled(fixture.log, tables)
    expect(names(tables)).toHaveLength(2)
    expect(await fixture.read('auth_events.dlq')).toEqual([])
  })

  test('P2: fenced by another runner, it joins again; rows are made once', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const runner = started(fixture.runner(tables))
    await fixture.append(authEvents, created(tenantA))
    await settled(fixture.log, tables)
    // Somebody claims behind the back of the group, as a process of an earlier generation might.
    const [topic] = await fixture.log.metadata(['auth_events'])
    for (let partition = 0; partition < 3; partition++) {
      const source = {
        sink: 'organizations',
        topic: 'auth_events',
        partition,
        clusterId: fixture.log.clusterId,
        topicId: topic!.topicId,
        partitions: 3,
      }
      await tables.claim(source, 0n)
    }
    const place = await fixture.append(authEvents, created(tenantB))
    expect(await runner.waitFor('organizations', 'auth_events', place.partition, place.offset, 5_000)).toBe(true)
    expect(names(tables)).toHaveLength(2)
    expect(fixture.notices.some((line) => line.includes('was taken over, joining again'))).toBe(true)
  })

  test('the offsets of another log stop the projection with one line that says what to do', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    await fixture.append(authEvents, created(tenantA), created(tenantB))
    const first = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    // Those that had nothing to read have claimed their places too.
    await eventually(() => first.isQuiet, 'partitions')
    await first.stop()
    const other = await new LogFixture().open()
    const runner = started(other.runner(tables))
    await eventually(() => runner.status().every(({ state }) => state === 'refused'), 'refused')
    expect(other.notices.filter((line) => line.startsWith('sink organizations:'))).toEqual([
      expect.stringContaining('npm run projections -- rebuild organizations'),
    ])
    expect(names(tables)).toHaveLength(2)
    await runner.rebuild('organizations')
    expect(names(tables)).toEqual([])
  })

  test('a database that is ahead of its log refuses to go on', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const [topic] = await fixture.log.metadata(['auth_events'])
    const source = {
      sink: 'organizations',
      topic: 'auth_events',
      partition: 0,
      clusterId: fixture.log.clusterId,
      topicId: topic!.topicId,
      partitions: 3,
    }
    await tables.claim(source, 1_000n)
    const runner = started(fixture.runner(tables))
    await eventually(() => runner.status()[0]?.state === 'refused', 'refused')
    expect(runner.status()[0]?.trouble).toContain('auth_events-0@1000, the log ends at 0')
    expect(runner.status()[1]?.state).not.toBe('refused')
  })

  test('records that retention took away are not passed over in silence', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const place = await fixture.append(authEvents, created(tenantA))
    const first = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    await first.stop()
    for (let n = 0; n < 3; n++) await fixture.append(authEvents, created(tenantA))
    await fixture.log.deleteRecords([{ topic: 'auth_events', partition: place.partition, offset: place.offset + 3n }])
    const runner = started(fixture.runner(tables))
    await eventually(() => runner.status()[0]?.state === 'refused', 'refused')
    expect(runner.status()[0]?.trouble).toContain('are gone (retention)')
  })

  test('a topic that is not there yet is waited for', async () => {
    const fixture = new LogFixture()
    const tables = new MemoryTables()
    const runner = started(fixture.runner(tables))
    await eventually(() => runner.status().every(({ state }) => state === 'waiting'), 'waiting')
    expect(runner.status()[0]?.trouble).toBe('topic auth_events does not exist')
    await fixture.open()
    await fixture.append(authEvents, created(tenantA), created(tenantB))
    await settled(fixture.log, tables)
    expect(names(tables)).toHaveLength(2)
  })

  test.each(['before', 'after'])(
    'P6: a rebuild whose answer is lost (%s it emptied the tables) leaves the projection at work',
    async (when) => {
      const fixture = await new LogFixture().open()
      const tables = new MemoryTables()
      const losing: TablePort = {
        claim: (source, first) => tables.claim(source, first),
        commit: (batch) => tables.commit(batch),
        offsets: () => tables.offsets(),
        erase: (of, tenant) => tables.erase(of, tenant),
        reset: async (projection) => {
          if (when === 'after') await tables.reset(projection)
          throw new Error('no answer')
        },
      }
      await fixture.append(authEvents, created(tenantA, 1))
      const runner = started(fixture.runner(losing))
      await settled(fixture.log, tables)
      await expect(runner.rebuild('organizations')).rejects.toThrow('no answer')
      await fixture.append(authEvents, created(tenantB, 2))
      await settled(fixture.log, tables)
      const organizations = projections.find(({ name }) => name === 'organizations')!
      expect(tables.rows(organizations.tables[0]!)).toHaveLength(2)
    },
  )

  test('P4: a partition given up and got back while a fetch is on its way is read from where it is claimed', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const listeners: RebalanceListener[] = []
    let held: (() => void) | null = null
    let holding = false
    const log = new Proxy(fixture.log, {
      get(target, name) {
        if (name === 'joinGroup')
          return (options: GroupOptions) => {
            listeners.push(options.listener)
            return target.joinGroup(options)
          }
        if (name === 'fetch')
          return async (request: FetchRequest) => {
            const answer = await target.fetch(request)
            if (holding && answer.some(({ batches }) => batches.length > 0)) {
              holding = false
              await new Promise<void>((resolve) => (held = resolve))
            }
            return answer
          }
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    const of = projections.filter(({ name }) => name === 'organizations')
    const runner = started(fixture.runner(tables, { log, projections: of }))
    await fixture.append(authEvents, created(tenantA, 1))
    await settled(fixture.log, tables, of)
    holding = true
    await fixture.append(authEvents, created(tenantB, 2))
    await eventually(() => held !== null, 'a fetch with records is held')
    const every = [0, 1, 2].map((partition) => ({ topic: 'auth_events', partition }))
    await listeners[0]!.revoked(every)
    await listeners[0]!.assigned(every, Buffer.alloc(0))
    held!()
    await settled(fixture.log, tables, of)
    expect(names(tables)).toEqual([organizationId(tenantA, 1), organizationId(tenantB, 2)].toSorted())
    expect(fixture.notices.filter((line) => line.includes('waiting'))).toEqual([])
    expect(runner.status().every(({ trouble }) => trouble === null)).toBe(true)
  })

  test('a rebuild gives the same rows, whether the runner is at work or not (P12)', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    for (const tenant of [tenantA, tenantB]) {
      for (let organization = 1; organization <= 5; organization++) {
        const of = { tenant, organization }
        await fixture.append(authEvents, created(tenant, organization))
        await fixture.append(authEvents, eventOf(authEvents, 'member_added', { user_id: userId(9) }, of))
        if (organization === 2) await fixture.append(authEvents, eventOf(authEvents, 'organization_deleted', {}, of))
        await fixture.append(
          clientEvents,
          eventOf(clientEvents, 'lifecycle_started', {}, of),
          eventOf(clientEvents, 'step_started', {}, of),
        )
        await fixture.append(
          researchEvents,
          eventOf(researchEvents, 'finding_recorded', {}, of),
          eventOf(researchEvents, 'competitor_identified', {}, of),
        )
      }
    }
    const all = (): unknown =>
      projections.flatMap((projection) =>
        projection.tables.map((table) =>
          tables.rows(table).toSorted((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1)),
        ),
      )
    const runner = started(fixture.runner(tables))
    await settled(fixture.log, tables)
    const before = all()
    for (const { name } of projections) await runner.rebuild(name)
    expect(all()).toEqual(before)
    await runner.stop()
    const command = fixture.runner(tables)
    for (const { name } of projections) await command.rebuild(name)
    expect(all()).toEqual(before)
    expect(command.status().every(({ state }) => state === 'stopped')).toBe(true)
  })

  test('P4: a rebuild reaches partitions that another runner has, also when no record comes any more (I9)', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    const of = projections.filter(({ name }) => name === 'organizations')
    const settings = { sessionTimeoutMs: 300, claimCheckMs: 30 }
    const runners = [0, 1].map(() => started(fixture.runner(tables, { projections: of, settings })))
    const parts = (): string => JSON.stringify(runners.map((runner) => runner.status()[0]!.partitions.length).sort())
    await eventually(() => parts() === '[1,2]', 'two share three partitions')
    await fixture.append(authEvents, ...Array.from({ length: 20 }, (_, i) => created(tenantA, i + 1)))
    await settled(fixture.log, tables, of)
    await runners[0]!.rebuild('organizations')
    expect(names(tables)).toHaveLength(20)
  })

  test('P7: nothing more is fetched while rows wait to be written', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    let fetches = 0
    const log = new Proxy(fixture.log, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (name === 'fetch') fetches++
        return typeof member === 'function' ? (member.bind(target) as unknown) : member
      },
    })
    let release = (): void => undefined
    const held = new Promise<void>((done) => (release = done))
    let writing = 0
    const slow = troubled(tables, async (_, inner) => {
      writing++
      await held
      return inner()
    })
    for (let n = 1; n <= 3; n++) await fixture.append(authEvents, created(tenantA, n), created(tenantB, n))
    started(fixture.runner(slow, { log, projections: projections.slice(0, 1) }))
    await eventually(() => writing === 1, 'writing')
    const before = fetches
    await new Promise((done) => setTimeout(done, 120))
    expect([fetches, writing]).toEqual([before, 1])
    release()
    await settled(fixture.log, tables, projections.slice(0, 1))
    expect(names(tables)).toHaveLength(6)
  })

  test('lag is what is committed and not yet in the rows', async () => {
    const fixture = await new LogFixture().open()
    const tables = new MemoryTables()
    let isDown = true
    const flaky = troubled(tables, (_, inner) => (isDown ? Promise.reject(new Error('down')) : inner()))
    await fixture.append(authEvents, created(tenantA), created(tenantA), created(tenantB))
    const only = projections.slice(0, 1)
    const runner = started(fixture.runner(flaky, { projections: only }))
    const total = (): bigint => runner.lag().reduce((sum, { lag }) => sum + lag, 0n)
    await eventually(() => total() > 0n, 'behind')
    isDown = false
    await settled(fixture.log, tables, only)
    await eventually(() => runner.lag().length === 3 && total() === 0n, 'caught up')
  })
})
