/**
 * What every table port must do (sinks/DESIGN.md, P1–P3 and P8–P11). Each test has two tenants with equal ids, because
 * rows of one must never touch rows of the other.
 */

import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Claim, PlacedChange, Row, RowChange, SinkBatch, SinkSource, Table, TablePort } from '../../sinks/index.ts'
import { MemoryTables, patch, patchWhile, projections, put, remove, removeAll } from '../../sinks/index.ts'
import { auditLogsTable } from '../../sinks/projections/audit-logs.ts'
import { enrichmentDataTable } from '../../sinks/projections/enrichment-data.ts'
import { reviewQueueTable } from '../../sinks/projections/review-queue.ts'
import { subscriptionsTable } from '../../sinks/projections/subscriptions.ts'
import { teamMembershipsTable } from '../../sinks/projections/team-memberships.ts'
import type { CommitHook, CommitPoint } from '../../sinks/table-port.ts'

export interface ContractRow {
  readonly key: Row
  readonly values: Row | null
  readonly partition: number
  readonly offset: bigint
  readonly changedAt: number
}

/** Fresh tables, and a way to look at them that is not the port's. */
export interface TablesUnderTest {
  tables(hook?: CommitHook): TablePort
  rows(table: Table): Promise<readonly ContractRow[]>
  close(): Promise<void>
}

export const tenantA = '0a000000-0000-4000-8000-000000000001'
export const tenantB = '0b000000-0000-4000-8000-000000000002'
const organization = '0c000000-0000-4000-8000-000000000003'
const users = [1, 2, 3].map((n) => `0d000000-0000-4000-8000-00000000000${n}`) as [string, string, string]
const day = 24 * 60 * 60 * 1000
const start = 1_767_225_600_000

const memberOf = (tenant_id: string, user_id: string) => ({ tenant_id, organization_id: organization, user_id })
const join = (tenant: string, user: string, role: string): RowChange =>
  put(teamMembershipsTable, memberOf(tenant, user), { role, joined_at: start })

export const source = (partition = 0, over: Partial<SinkSource> = {}): SinkSource => ({
  sink: 'team-memberships',
  topic: 'auth_events',
  partition,
  clusterId: 'cluster',
  topicId: 'topic',
  partitions: 3,
  ...over,
})

const at = (change: RowChange, offset: bigint, time = start + Number(offset % 1000n)): PlacedChange => ({
  ...change,
  offset,
  at: time,
})

/** A batch of one change per offset, from where the claim stands. */
export function batchOf(claim: Claim, changes: readonly RowChange[], from = claim.nextOffset): SinkBatch {
  const placed = changes.map((change, i) => at(change, from + BigInt(i)))
  return { claim, from, next: from + BigInt(changes.length), changes: placed }
}

const byKey = (rows: readonly ContractRow[]): readonly ContractRow[] =>
  rows.toSorted((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1))

export function tablePortContract(name: string, open: () => Promise<TablesUnderTest>): void {
  describe(`table port: ${name}`, () => {
    const opened: TablesUnderTest[] = []
    const fresh = async (): Promise<TablesUnderTest> => {
      const under = await open()
      opened.push(under)
      return under
    }
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((under) => under.close()))
    })

    test('P1: rows and offset are there together, each tenant with its own', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 5n)
      expect(claim).toMatchObject({ nextOffset: 5n, epoch: 1n })
      const batch = batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'member')])
      expect(await tables.commit(batch)).toEqual({ kind: 'committed' })
      expect(byKey(await under.rows(teamMembershipsTable))).toEqual([
        {
          key: memberOf(tenantA, users[0]),
          values: { role: 'owner', joined_at: start },
          partition: 0,
          offset: 5n,
          changedAt: start + 5,
        },
        {
          key: memberOf(tenantB, users[0]),
          values: { role: 'member', joined_at: start },
          partition: 0,
          offset: 6n,
          changedAt: start + 6,
        },
      ])
      expect(await tables.offsets()).toEqual([
        { sink: 'team-memberships', topic: 'auth_events', partition: 0, nextOffset: 7n, epoch: 1n },
      ])
    })

    test('a batch that changes nothing moves the offset', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      expect(await tables.commit({ claim, from: 0n, next: 40n, changes: [] })).toEqual({ kind: 'committed' })
      expect((await tables.offsets())[0]?.nextOffset).toBe(40n)
    })

    test('offsets beyond 2^53 stay exact', async () => {
      const under = await fresh()
      const tables = under.tables()
      const far = 9_007_199_254_740_993n
      const claim = await tables.claim(source(), far)
      await tables.commit(batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')]))
      expect((await tables.offsets())[0]?.nextOffset).toBe(far + 2n)
      expect(byKey(await under.rows(teamMembershipsTable)).map(({ offset }) => offset)).toEqual([far, far + 1n])
    })

    for (const point of ['C20', 'C21', 'C22'] as const satisfies readonly CommitPoint[]) {
      test(`P1: a crash at ${point} leaves neither rows nor offset, and the batch can be done again`, async () => {
        const under = await fresh()
        const claim = await under.tables().claim(source(), 0n)
        const crashing = under.tables((reached) => {
          if (reached === point) throw new Error('crashed here')
        })
        const batch = batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')])
        await expect(crashing.commit(batch)).rejects.toThrow('crashed here')
        expect(await under.rows(teamMembershipsTable)).toEqual([])
        expect((await under.tables().offsets())[0]?.nextOffset).toBe(0n)
        expect(await under.tables().commit(batch)).toEqual({ kind: 'committed' })
        expect(await under.rows(teamMembershipsTable)).toHaveLength(2)
      })
    }

    test('P3: a crash at C23 leaves rows and offset, and the batch done again is answered with the position', async () => {
      const under = await fresh()
      const claim = await under.tables().claim(source(), 0n)
      const crashing = under.tables((reached) => {
        if (reached === 'C23') throw new Error('crashed here')
      })
      const batch = batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')])
      await expect(crashing.commit(batch)).rejects.toThrow('crashed here')
      expect(await under.rows(teamMembershipsTable)).toHaveLength(2)
      const again = await under.tables().claim(source(), 0n)
      expect(again.nextOffset).toBe(2n)
      expect(await under.tables().commit({ ...batch, claim: again })).toEqual({ kind: 'moved', nextOffset: 2n })
    })

    test('a crash before COMMIT frees the offset row for the next owner', async () => {
      const under = await fresh()
      const claim = await under.tables().claim(source(), 0n)
      const crashing = under.tables((reached) => {
        if (reached === 'C20') throw new Error('crashed here')
      })
      await expect(crashing.commit(batchOf(claim, [join(tenantA, users[0], 'owner')]))).rejects.toThrow('crashed here')
      const later = await under.tables().claim(source(), 0n)
      expect(later).toMatchObject({ nextOffset: 0n, epoch: claim.epoch + 1n })
      expect(await under.tables().commit(batchOf(later, [join(tenantB, users[0], 'owner')]))).toEqual({
        kind: 'committed',
      })
    })

    test('P5: values that a database will never take are rejected, and nothing of their batch is written', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      const [good, bad] = [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'nul \0')]
      expect(await tables.commit(batchOf(claim, [good, bad]))).toMatchObject({ kind: 'rejected' })
      expect(await under.rows(teamMembershipsTable)).toEqual([])
      expect((await tables.offsets())[0]?.nextOffset).toBe(0n)
      expect(await tables.commit(batchOf(claim, [good]))).toEqual({ kind: 'committed' })
    })

    test('P2: the earlier owner is fenced by the next claim and writes nothing', async () => {
      const under = await fresh()
      const tables = under.tables()
      const earlier = await tables.claim(source(), 0n)
      const later = await tables.claim(source(), 0n)
      expect(later.epoch).toBeGreaterThan(earlier.epoch)
      expect(await tables.commit(batchOf(earlier, [join(tenantA, users[0], 'owner')]))).toEqual({ kind: 'fenced' })
      expect(await under.rows(teamMembershipsTable)).toEqual([])
      expect(await tables.commit(batchOf(later, [join(tenantB, users[0], 'owner')]))).toEqual({ kind: 'committed' })
      expect(await under.rows(teamMembershipsTable)).toHaveLength(1)
    })

    test('P2: the epochs of partitions and sinks are their own', async () => {
      const under = await fresh()
      const tables = under.tables()
      const first = await tables.claim(source(0), 0n)
      await tables.claim(source(1), 0n)
      await tables.claim(source(0, { sink: 'organizations' }), 0n)
      expect(await tables.commit(batchOf(first, [join(tenantA, users[0], 'owner')]))).toEqual({ kind: 'committed' })
    })

    test('P2: a batch delivered again is answered with the position, and nothing is written', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      const batch = batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')])
      await tables.commit(batch)
      const before = byKey(await under.rows(teamMembershipsTable))
      expect(await tables.commit(batch)).toEqual({ kind: 'moved', nextOffset: 2n })
      expect(byKey(await under.rows(teamMembershipsTable))).toEqual(before)
    })

    test('P8: a change from an earlier record does not touch a row', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 10n)
      await tables.commit(batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')]))
      const before = byKey(await under.rows(teamMembershipsTable))
      const old = [
        at(join(tenantA, users[0], 'member'), 9n),
        at(patch(teamMembershipsTable, memberOf(tenantB, users[0]), { role: 'admin' }), 8n),
        at(removeAll(teamMembershipsTable, { tenant_id: tenantA }), 7n),
      ]
      expect(await tables.commit({ claim, from: 12n, next: 13n, changes: old })).toEqual({ kind: 'committed' })
      expect(byKey(await under.rows(teamMembershipsTable))).toEqual(before)
    })

    test('P9: a row met many times in a batch ends as its changes one by one would leave it', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      const key = memberOf(tenantA, users[0])
      await tables.commit(
        batchOf(claim, [
          join(tenantA, users[0], 'member'),
          patch(teamMembershipsTable, key, { role: 'admin' }),
          remove(teamMembershipsTable, key),
          patch(teamMembershipsTable, key, { role: 'lost' }),
          join(tenantA, users[0], 'member'),
          join(tenantB, users[0], 'owner'),
          patch(teamMembershipsTable, key, { role: 'owner' }),
        ]),
      )
      const rows = byKey(await under.rows(teamMembershipsTable))
      expect(rows.map(({ values, offset }) => [values?.['role'], offset])).toEqual([
        ['owner', 6n],
        ['owner', 5n],
      ])
    })

    test('P10: a tombstone keeps the key alone, stops older changes, and gives way to a newer put', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 5n)
      const key = memberOf(tenantA, users[0])
      await tables.commit(
        batchOf(claim, [
          join(tenantA, users[0], 'owner'),
          join(tenantB, users[0], 'owner'),
          remove(teamMembershipsTable, key),
        ]),
      )
      const [gone, other] = byKey(await under.rows(teamMembershipsTable))
      expect(gone).toEqual({ key, values: null, partition: 0, offset: 7n, changedAt: start + 7 })
      expect(other?.values).toEqual({ role: 'owner', joined_at: start })

      await tables.commit({ claim, from: 8n, next: 9n, changes: [at(join(tenantA, users[0], 'zombie'), 6n)] })
      await tables.commit({
        claim,
        from: 9n,
        next: 10n,
        changes: [at(patch(teamMembershipsTable, key, { role: 'zombie' }), 9n)],
      })
      expect(byKey(await under.rows(teamMembershipsTable))[0]?.values).toBeNull()

      await tables.commit({ claim, from: 10n, next: 11n, changes: [at(join(tenantA, users[0], 'member'), 10n)] })
      expect(byKey(await under.rows(teamMembershipsTable))[0]?.values).toEqual({ role: 'member', joined_at: start })
    })

    test('P10: a row removed before it was seen leaves its tombstone; a patch of no row does nothing', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      await tables.commit(
        batchOf(claim, [
          remove(teamMembershipsTable, memberOf(tenantA, users[0])),
          patch(teamMembershipsTable, memberOf(tenantB, users[1]), { role: 'admin' }),
        ]),
      )
      expect((await under.rows(teamMembershipsTable)).map(({ key, values }) => [key, values])).toEqual([
        [memberOf(tenantA, users[0]), null],
      ])
    })

    test('P10: a patch while a column is empty leaves a row that has something in it, in one batch and over several', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      const key = (tenant_id: string) => ({ tenant_id, subscription_id: 'sub_1' })
      const created = (tenant: string): RowChange =>
        put(subscriptionsTable, key(tenant), {
          ...{ organization_id: organization, customer_id: 'c', plan: 'p', status: 'created', created_at: start },
        })
      const changed = (tenant: string, status: string): RowChange =>
        patchWhile(subscriptionsTable, key(tenant), { status }, 'ended_at')
      const ended = (tenant: string): RowChange => patch(subscriptionsTable, key(tenant), { ended_at: start })
      await tables.commit(
        batchOf(claim, [
          ...[created(tenantA), created(tenantB), changed(tenantA, 'active'), changed(tenantB, 'active')],
          ...[ended(tenantA), changed(tenantA, 'late')],
        ]),
      )
      const status = async () => byKey(await under.rows(subscriptionsTable)).map(({ values }) => values?.['status'])
      expect(await status()).toEqual(['active', 'active'])
      const changes = [at(changed(tenantA, 'later'), 6n), at(changed(tenantB, 'later'), 7n)]
      await tables.commit({ claim, from: 6n, next: 8n, changes })
      expect(await status()).toEqual(['active', 'later'])
    })

    test('remove-all ends the live rows below a prefix, of that tenant only', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      await tables.commit(
        batchOf(claim, [
          join(tenantA, users[0], 'owner'),
          join(tenantA, users[1], 'member'),
          join(tenantB, users[0], 'owner'),
          removeAll(teamMembershipsTable, { tenant_id: tenantA, organization_id: organization }),
          join(tenantA, users[2], 'owner'),
        ]),
      )
      const rows = byKey(await under.rows(teamMembershipsTable))
      expect(rows.map(({ values, offset }) => [values?.['role'] ?? null, offset])).toEqual([
        [null, 3n],
        [null, 3n],
        ['owner', 4n],
        ['owner', 2n],
      ])
    })

    test('P11: of the best only the better, or the newer after its time, takes a row', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(0, { sink: 'enrichment-data' }), 0n)
      const found = (tenant_id: string, confidence_score: number, value: string): RowChange =>
        put(
          enrichmentDataTable,
          { tenant_id, organization_id: organization, finding_type: 'company_info', field: 'name' },
          { value, confidence_score, finding_source: 's', finding_id: value, found_at: start },
        )
      const values = async (): Promise<unknown[]> =>
        byKey(await under.rows(enrichmentDataTable)).map((row) => row.values?.['value'])
      await tables.commit(
        batchOf(claim, [found(tenantA, 0.8, 'sure'), found(tenantA, 0.5, 'unsure'), found(tenantB, 0.3, 'b')]),
      )
      expect(await values()).toEqual(['sure', 'b'])
      await tables.commit(batchOf(claim, [found(tenantA, 0.8, 'as sure, later'), found(tenantB, 0.2, 'worse')], 3n))
      expect(await values()).toEqual(['as sure, later', 'b'])
      const late = at(found(tenantA, 0.1, 'newer'), 5n, start + 3 + 90 * day)
      await tables.commit({ claim, from: 5n, next: 6n, changes: [late] })
      expect(await values()).toEqual(['as sure, later', 'b'])
      await tables.commit({ claim, from: 6n, next: 7n, changes: [{ ...late, offset: 6n, at: late.at + 1 }] })
      expect(await values()).toEqual(['newer', 'b'])
    })

    test('append-only rows keep their first value', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(0, { sink: 'audit-logs' }), 0n)
      const entry = (tenant_id: string, event_type: string): RowChange =>
        put(
          auditLogsTable,
          { tenant_id, event_id: 'e1' },
          {
            organization_id: organization,
            event_type,
            occurred_at: start,
            actor_type: 'user',
            actor_id: 'u',
            detail: {},
          },
        )
      await tables.commit(batchOf(claim, [entry(tenantA, 'first'), entry(tenantB, 'first'), entry(tenantA, 'again')]))
      await tables.commit(batchOf(claim, [entry(tenantB, 'again')], 3n))
      const rows = byKey(await under.rows(auditLogsTable))
      expect(rows.map(({ values, offset }) => [values?.['event_type'], offset])).toEqual([
        ['first', 0n],
        ['first', 1n],
      ])
    })

    test('offsets of another log are refused, until a rebuild', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(), 0n)
      await tables.commit(batchOf(claim, [join(tenantA, users[0], 'owner'), join(tenantB, users[0], 'owner')]))
      for (const other of [{ clusterId: 'other' }, { topicId: 'other' }, { partitions: 4 }]) {
        await expect(tables.claim(source(0, other), 0n)).rejects.toMatchObject({ code: 'OTHER_LOG' })
      }
      const projection = projections.find(({ name }) => name === 'team-memberships')!
      await tables.reset(projection)
      expect(await under.rows(teamMembershipsTable)).toEqual([])
      expect(await tables.commit(batchOf(claim, [join(tenantA, users[0], 'zombie')], 2n))).toEqual({ kind: 'fenced' })
      const again = await tables.claim(source(0, { clusterId: 'other' }), 3n)
      expect(again.nextOffset).toBe(3n)
      expect(again.epoch).toBeGreaterThan(claim.epoch)
    })

    test('every projection can be emptied', async () => {
      const under = await fresh()
      const tables = under.tables()
      for (const projection of projections) {
        const claim = await tables.claim(source(0, { sink: projection.name }), 0n)
        const changes = projection.tables.flatMap((table) => [rowOf(table, tenantA), rowOf(table, tenantB)])
        expect(await tables.commit(batchOf(claim, changes))).toEqual({ kind: 'committed' })
        for (const table of projection.tables) expect(await under.rows(table), table.name).toHaveLength(2)
      }
      for (const projection of projections) {
        await tables.reset(projection)
        for (const table of projection.tables) expect(await under.rows(table), table.name).toEqual([])
      }
    })

    test('erasing a tenant empties its personal columns and no others', async () => {
      const under = await fresh()
      const tables = under.tables()
      const claim = await tables.claim(source(0, { sink: 'review-queue' }), 0n)
      await tables.commit(batchOf(claim, [rowOf(reviewQueueTable, tenantA), rowOf(reviewQueueTable, tenantB)]))
      const [, before] = byKey(await under.rows(reviewQueueTable))
      await tables.erase([reviewQueueTable, teamMembershipsTable], tenantA)
      const [erased, other] = byKey(await under.rows(reviewQueueTable))
      expect(erased?.values).toMatchObject({ proposed_action: null, edits: null, comment: null, reason: 'text' })
      expect(other).toEqual(before)
    })

    test('P9: any changes, in any batches, leave the rows of the changes one by one', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(anyChange, { minLength: 1, maxLength: 12 }), { maxLength: 6 }),
          async (batches) => {
            const under = await open()
            try {
              const model = new MemoryTables()
              const [real, expected] = [await under.tables().claim(source(), 0n), await model.claim(source(), 0n)]
              let from = 0n
              for (const changes of batches) {
                const batch = batchOf(real, changes, from)
                expect(await under.tables().commit(batch)).toEqual({ kind: 'committed' })
                for (const change of batch.changes) {
                  await model.commit({
                    claim: expected,
                    from: change.offset,
                    next: change.offset + 1n,
                    changes: [change],
                  })
                }
                from = batch.next
              }
              for (const table of [teamMembershipsTable, enrichmentDataTable]) {
                const wanted = model.rows(table).map(({ key, values, partition, offset, changedAt }) => ({
                  key,
                  values,
                  partition,
                  offset,
                  changedAt,
                }))
                expect(byKey(await under.rows(table))).toEqual(byKey(wanted))
              }
            } finally {
              await under.close()
            }
          },
        ),
        { numRuns: 40 },
      )
    }, 120_000)
  })
}

const anyMember = fc.record({
  tenant_id: fc.constantFrom(tenantA, tenantB),
  organization_id: fc.constant(organization),
  user_id: fc.constantFrom(...users),
})
const anyRole = fc.constantFrom('owner', 'admin', 'member')
const anyChange: fc.Arbitrary<RowChange> = fc.oneof(
  fc.tuple(anyMember, anyRole).map(([key, role]) => put(teamMembershipsTable, key, { role, joined_at: start })),
  fc.tuple(anyMember, anyRole).map(([key, role]) => patch(teamMembershipsTable, key, { role })),
  fc.tuple(anyMember, fc.nat(1000)).map(([key, ms]) => patch(teamMembershipsTable, key, { joined_at: start + ms })),
  anyMember.map((key) => remove(teamMembershipsTable, key)),
  fc
    .constantFrom(tenantA, tenantB)
    .map((tenant_id) => removeAll(teamMembershipsTable, { tenant_id, organization_id: organization })),
  fc
    .tuple(
      fc.constantFrom(tenantA, tenantB),
      fc.constantFrom('a', 'b'),
      fc.constantFrom(0.1, 0.5, 0.9),
      fc.string({ maxLength: 5 }),
    )
    .map(([tenant_id, field, confidence_score, value]) =>
      put(
        enrichmentDataTable,
        { tenant_id, organization_id: organization, finding_type: 'pricing', field },
        { value: value.replaceAll('\0', ''), confidence_score, finding_source: 's', finding_id: 'f', found_at: start },
      ),
    ),
  fc
    .tuple(fc.constantFrom(tenantA, tenantB), fc.constantFrom('a', 'b'))
    .map(([tenant_id, field]) =>
      remove(enrichmentDataTable, { tenant_id, organization_id: organization, finding_type: 'pricing', field }),
    ),
)

/** A whole row with something in every column. */
export function rowOf(table: Table, tenantId: string): Extract<RowChange, { readonly values: Row }> {
  const samples = {
    uuid: organization,
    text: 'text',
    boolean: true,
    int: 7,
    bigint: 9_007_199_254_740_991,
    double: 0.125,
    instant: start,
    json: { quote: '"\\', nested: [1, null, { ü: '{,}' }] },
  }
  const sample = (columns: Table['columns']): Row =>
    Object.fromEntries(Object.entries(columns).map(([name, { type }]) => [name, samples[type]]))
  return { op: 'put', table, key: { ...sample(table.key), tenant_id: tenantId }, values: sample(table.columns) }
}
