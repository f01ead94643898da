/** Tables in memory, for simulation: changes one by one, straight from the meaning of each. */

import type { Json } from '../schemas/index.ts'
import type { AnyProjection } from './projection.ts'
import { rowId } from './fold.ts'
import type { Row, Table } from './table.ts'
import type {
  Claim,
  CommitHook,
  CommitOutcome,
  PlacedChange,
  SinkBatch,
  SinkOffset,
  SinkSource,
  TablePort,
} from './table-port.ts'
import { otherLog } from './table-port.ts'

export interface MemoryRow {
  readonly key: Row
  /** Null in a tombstone. */
  readonly values: Row | null
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly changedAt: number
}

interface Kept {
  readonly source: SinkSource | null
  readonly nextOffset: bigint
  readonly epoch: bigint
}

export class MemoryTables implements TablePort {
  readonly #rows = new Map<string, MemoryRow>()
  readonly #offsets = new Map<string, Kept>()
  readonly #hook: CommitHook

  constructor(hook: CommitHook = () => undefined) {
    this.#hook = hook
  }

  /** Live rows and tombstones of a table, in no particular order. */
  rows(table: Table): readonly MemoryRow[] {
    return [...this.#rows].filter(([id]) => id.startsWith(`${table.name} `)).map(([, row]) => row)
  }

  async claim(source: SinkSource, firstOffset: bigint): Promise<Claim> {
    return this.claimNow(source, firstOffset)
  }

  /** @throws SinkError OTHER_LOG */
  claimNow(source: SinkSource, firstOffset: bigint): Claim {
    const kept = this.#offsets.get(placeOf(source))
    if (kept?.source && !sameLog(kept.source, source)) throw otherLog(source)
    const nextOffset = kept?.source ? kept.nextOffset : firstOffset
    const epoch = (kept?.epoch ?? 0n) + 1n
    this.#offsets.set(placeOf(source), { source, nextOffset, epoch })
    return { source, epoch, nextOffset }
  }

  async commit(batch: SinkBatch): Promise<CommitOutcome> {
    await this.#hook('C20')
    await this.#hook('C21')
    await this.#hook('C22')
    const outcome = this.commitNow(batch)
    if (outcome.kind === 'committed') await this.#hook('C23')
    return outcome
  }

  /** The whole transaction at once: nothing comes between. */
  commitNow({ claim, from, next, changes }: SinkBatch): CommitOutcome {
    const place = placeOf(claim.source)
    const kept = this.#offsets.get(place)
    if (kept === undefined || kept.epoch !== claim.epoch) return { kind: 'fenced' }
    if (kept.nextOffset !== from) return { kind: 'moved', nextOffset: kept.nextOffset }
    const refused = changes.find((change) => holdsNul(change.key) || ('values' in change && holdsNul(change.values)))
    if (refused !== undefined) return { kind: 'rejected', reason: `a row of ${refused.table.name} holds a NUL` }
    for (const change of changes) this.#apply(change, claim.source)
    this.#offsets.set(place, { ...kept, nextOffset: next })
    return { kind: 'committed' }
  }

  reset({ name, tables }: AnyProjection): Promise<void> {
    for (const table of tables) for (const row of this.rows(table)) this.#rows.delete(rowId(table, row.key))
    for (const [place, kept] of this.#offsets) {
      if (place.startsWith(`${name} `))
        this.#offsets.set(place, { source: null, nextOffset: 0n, epoch: kept.epoch + 1n })
    }
    return Promise.resolve()
  }

  offsets(): Promise<readonly SinkOffset[]> {
    return Promise.resolve(this.offsetsNow())
  }

  offsetsNow(): readonly SinkOffset[] {
    return [...this.#offsets].map(([place, { nextOffset, epoch }]) => {
      const [sink = '', topic = '', partition] = place.split(' ')
      return { sink, topic, partition: Number(partition), nextOffset, epoch }
    })
  }

  erase(tables: readonly Table[], tenantId: string): Promise<void> {
    for (const table of tables) {
      const personal = Object.keys(table.columns).filter((name) => table.columns[name]?.personal)
      for (const row of this.rows(table)) {
        if (row.key['tenant_id'] !== tenantId || row.values === null) continue
        const emptied = Object.fromEntries(personal.map((name) => [name, null]))
        this.#rows.set(rowId(table, row.key), { ...row, values: { ...row.values, ...emptied } })
      }
    }
    return Promise.resolve()
  }

  #apply(change: PlacedChange, source: SinkSource): void {
    if (change.op === 'remove-all') {
      const prefix = Object.entries(change.key)
      for (const row of this.rows(change.table)) {
        if (row.values !== null && prefix.every(([name, value]) => row.key[name] === value)) {
          this.#apply({ ...change, op: 'remove', key: row.key }, source)
        }
      }
      return
    }
    const id = rowId(change.table, change.key)
    const row = this.#rows.get(id)
    if (row !== undefined && row.offset >= change.offset) return
    const values = valuesAfter(row, change)
    if (values === undefined) return
    const { offset, at } = change
    this.#rows.set(id, {
      key: change.key,
      values,
      topic: source.topic,
      partition: source.partition,
      offset,
      changedAt: at,
    })
  }
}

/** The row's values after a change: null for a tombstone, undefined when the change does nothing. */
function valuesAfter(
  row: MemoryRow | undefined,
  change: Exclude<PlacedChange, { op: 'remove-all' }>,
): Row | null | undefined {
  const live = row?.values ?? null
  switch (change.op) {
    case 'remove':
      return null
    case 'patch':
      if (live === null || (change.whileEmpty !== undefined && live[change.whileEmpty] != null)) return undefined
      return { ...live, ...change.values }
    case 'put':
      if (row !== undefined && change.table.appendOnly) return undefined
      return row !== undefined && live !== null && !isBetter(row, live, change) ? undefined : change.values
  }
}

function isBetter(row: MemoryRow, live: Row, change: Extract<PlacedChange, { values: Row }>): boolean {
  const { best } = change.table
  if (best === null) return true
  const [before, after] = [live[best.column] as number, change.values[best.column] as number]
  return after >= before || change.at > row.changedAt + best.staleAfterMs
}

/** The one character that PostgreSQL takes in no text. */
function holdsNul(value: Json): boolean {
  if (typeof value === 'string') return value.includes('\0')
  if (typeof value !== 'object' || value === null) return false
  return Array.isArray(value) ? value.some(holdsNul) : Object.entries(value).some((entry) => entry.some(holdsNul))
}

const placeOf = ({ sink, topic, partition }: SinkSource): string => `${sink} ${topic} ${partition}`

const sameLog = (a: SinkSource, b: SinkSource): boolean =>
  a.clusterId === b.clusterId && a.topicId === b.topicId && a.partitions === b.partitions
