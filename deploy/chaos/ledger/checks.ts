/**
 * What must be true of the ledger whenever its process was killed, element by element.
 *
 *   G1  every acknowledged entry stands in the input once, those of a producer in its order; what was not acknowledged
 *       stands there at most once
 *   G2  the postings of a partition are what the program makes of the entries before the committed offset: each once, in
 *       order, none missing, none ahead
 *   G3  a timer fires once, before the next entry of its account that is later than it, and never when an entry that was
 *       earlier was still to be read
 *   G4  what was repartitioned, and what became of it, is as G2
 *   G5  every posting before the committed offset was checked; per account once and in order
 *   G6  rows on disk are the fold of the changelog up to their position, which is not past the last stable offset
 *   G7  the fold of the whole changelog is what the program makes of the entries before the committed offset
 *   G8  committed offsets never step back
 *   G9  in the end nothing is left: all read, all timers fired, no transaction open, no member in a group
 *   G10 the dead letters of a partition are its bad entries before the committed offset: each once, in order; there are
 *       no others
 *   G11 what a part without state passes on is what it has read before the committed offset: each once, in order
 */

import { partitionFor } from '../../../connectors/kafka/index.ts'
import { entriesPerAppend, entryOf, groupOf, parseEntry, valueOf } from './entries.ts'
import type { Expectation } from './expectation.ts'
import type { Balance } from './programs.ts'
import { balanceRow, noBalance, topics } from './programs.ts'
import type { LedgerData, ReadRecord, ReadTopic, StoreRows } from './read.ts'
import { isIdle, timerFindings } from './timer-checks.ts'

/** One line per broken rule, the first few of each; empty when all is well. */
export function ledgerFindings(data: LedgerData, expected: Expectation): string[] {
  const rules: Readonly<Record<string, () => string[]>> = {
    G1: () => inputFindings(data.entries, expected),
    G2: () => postingFindings(data),
    G3: () => timerFindings(data, expected),
    G4: () => groupFindings(data),
    G5: () => checkedFindings(data),
    G6: () => data.stores.flatMap(diskFindings),
    G7: () => modelFindings(data),
    G8: () => stepsBack(data, expected.committedBefore),
    G9: () => (expected.isEnd ? endFindings(data) : []),
    G10: () => deadFindings(data),
    G11: () => passedFindings(data),
  }
  return Object.entries(rules).flatMap(([rule, find]) => firstFew(find()).map((line) => `${rule} ${line}`))
}

function firstFew(findings: readonly string[]): string[] {
  const few = findings.slice(0, 5)
  return findings.length > few.length ? [...few, `and ${findings.length - few.length} more`] : few
}

function inputFindings(entries: ReadTopic, { seed, acknowledged }: Expectation): string[] {
  const findings: string[] = []
  const seen = new Map<string, Set<number>>()
  entries.forEach((records, partition) => {
    const last = new Map<string, number>()
    for (const { offset, key, value } of records) {
      const { producer, n } = parseEntry(key, value ?? '')
      const place = `entry ${producer}:${n} at ${partition}@${offset}`
      const numbers = seen.get(producer) ?? new Set()
      seen.set(producer, numbers)
      if (numbers.has(n)) findings.push(`${place} stands there twice`)
      numbers.add(n)
      if (n <= (last.get(producer) ?? -1)) findings.push(`${place} comes after ${last.get(producer)}`)
      last.set(producer, n)
      const wanted = entryOf(seed, producer, n)
      if (wanted.key !== key || valueOf(wanted) !== value) findings.push(`${place} is not what was written`)
      if (n > (acknowledged.get(producer) ?? -1) + entriesPerAppend) findings.push(`${place} was never sent`)
    }
  })
  for (const [producer, last] of acknowledged)
    for (let n = 0; n <= last; n++)
      if (seen.get(producer)?.has(n) !== true) findings.push(`entry ${producer}:${n} was acknowledged and is lost`)
  return findings
}

/** The entries of a partition that the committed offset covers. */
function covered(data: LedgerData, records: readonly ReadRecord[], group: string, place: string): ReadRecord[] {
  const next = data.committed.get(`${group} ${place}`) ?? 0n
  return records.filter(({ offset }) => offset < next)
}

interface Posted {
  readonly key: string
  readonly value: string | null
}

/** What the program makes of entries, in their order, and the rows it is left with. */
function posted(entries: readonly ReadRecord[]): { outputs: Posted[]; rows: Map<string, string> } {
  const balances = new Map<string, Balance>()
  const rows = new Map<string, string>()
  const outputs = entries.flatMap(({ key, value, timestamp }) => {
    const { producer, n, amount, pad, bad } = parseEntry(key, value ?? '')
    if (bad) return []
    const before = balances.get(key) ?? noBalance
    const after = { count: before.count + 1, sum: before.sum + amount, last: Math.max(before.last, timestamp) }
    balances.set(key, after)
    rows.set(key, balanceRow(after, pad))
    return [{ key, value: `${producer}:${n}:${after.count}:${after.sum}` }]
  })
  return { outputs, rows }
}

function postingFindings(data: LedgerData): string[] {
  return data.entries.flatMap((entries, partition) => {
    const expected = posted(covered(data, entries, 'ledger', `${topics.entries}-${partition}`)).outputs
    const actual = (data.postings[partition] ?? []).filter((record) => !isIdle(record))
    return differences(`${topics.postings}-${partition}`, expected, actual)
  })
}

/** Element by element; one line at the first place where they part, for the rest would only repeat it. */
function differences(place: string, expected: readonly Posted[], actual: readonly Posted[]): string[] {
  const text = (record: Posted | undefined): string =>
    record === undefined ? 'nothing' : `${record.key}=${record.value}`
  const length = Math.max(expected.length, actual.length)
  for (let index = 0; index < length; index++) {
    const [wanted, found] = [text(expected[index]), text(actual[index])]
    if (wanted !== found)
      return [
        `${place}: record ${index} is ${found}, wanted ${wanted} (${actual.length} records, wanted ${expected.length})`,
      ]
  }
  return []
}

function groupFindings(data: LedgerData): string[] {
  const findings: string[] = []
  const count = data.moved.length
  data.entries.forEach((entries, source) => {
    const sent = covered(data, entries, 'ledger', `${topics.entries}-${source}`).flatMap(({ key, value }) => {
      const entry = parseEntry(key, value ?? '')
      if (entry.bad) return []
      return [{ key: groupOf(entry), value: `${entry.producer}:${entry.n}:${entry.amount}:${source}` }]
    })
    data.moved.forEach((records, target) => {
      const expected = sent.filter(({ key }) => partitionFor(Buffer.from(key), count) === target)
      const actual = records.filter(({ value }) => value?.endsWith(`:${source}`) === true)
      findings.push(...differences(`groups-${target} from partition ${source}`, expected, actual))
    })
  })
  data.moved.forEach((records, partition) => {
    const expected = totalled(covered(data, records, 'ledger', movedPlace(data, partition))).outputs
    findings.push(...differences(`${topics.groups}-${partition}`, expected, data.groups[partition] ?? []))
  })
  return findings
}

/** The repartition topic's name is the engine's: found among what was committed. */
function movedPlace(data: LedgerData, partition: number): string {
  for (const place of data.committed.keys())
    if (place.startsWith('ledger ') && !place.includes(topics.entries) && place.endsWith(`-${partition}`))
      return place.slice('ledger '.length)
  return ''
}

function totalled(records: readonly ReadRecord[]): { outputs: Posted[]; rows: Map<string, string> } {
  const totals = new Map<string, Balance>()
  const rows = new Map<string, string>()
  const outputs = records.map(({ key, value }) => {
    const [producer, n, amount] = (value ?? '').split(':')
    const before = totals.get(key) ?? noBalance
    const after = { count: before.count + 1, sum: before.sum + Number(amount), last: 0 }
    totals.set(key, after)
    rows.set(key, balanceRow(after, ''))
    return { key, value: `${producer}:${n}:${after.count}:${after.sum}` }
  })
  return { outputs, rows }
}

function byKey<T extends { readonly key: string }>(records: readonly T[]): Map<string, T[]> {
  const keyed = new Map<string, T[]>()
  for (const record of records) {
    const known = keyed.get(record.key)
    if (known === undefined) keyed.set(record.key, [record])
    else known.push(record)
  }
  return keyed
}

function checkedFindings(data: LedgerData): string[] {
  return data.postings.flatMap((postings, partition) => {
    const next = data.committed.get(`audit ${topics.postings}-${partition}`) ?? 0n
    const checked = byKey(data.checked[partition] ?? [])
    const wanted = byKey(postings)
    const strangers = [...checked.keys()].filter((key) => !wanted.has(key))
    return [
      ...strangers.map((key) => `${topics.checked}-${partition}: ${key} was never posted`),
      ...[...wanted].flatMap(([key, records]) => {
        const actual = checked.get(key) ?? []
        // Calls are done out of order between accounts: beyond the committed offset some may be checked already.
        const least = records.filter(({ offset }) => offset < next).length
        const expected = records
          .slice(0, Math.max(least, actual.length))
          .map(({ value }, index) => ({ key, value: `${value}=ok#${index + 1}` }))
        return differences(`${topics.checked}-${partition} ${key}`, expected, actual)
      }),
    ]
  })
}

function passedFindings(data: LedgerData): string[] {
  return data.groups.flatMap((groups, partition) => {
    const expected = covered(data, groups, 'audit', `${topics.groups}-${partition}`)
    return differences(`${topics.passed}-${partition}`, expected, data.passed[partition] ?? [])
  })
}

/** The rows a changelog stands for, up to an offset. */
export function folded(changelog: readonly ReadRecord[], end: bigint): Map<string, string> {
  const rows = new Map<string, string>()
  for (const { offset, key, value } of changelog) {
    if (offset >= end) break
    if (value === null) rows.delete(key)
    else rows.set(key, value)
  }
  return rows
}

function diskFindings({ place, position, lastStableOffset, rows, changelog }: StoreRows): string[] {
  if (position !== null && position > lastStableOffset)
    return [`${place} stands at ${position}, its changelog is committed to ${lastStableOffset}`]
  return differentRows(place, folded(changelog, position ?? 0n), rows)
}

function differentRows(
  place: string,
  expected: ReadonlyMap<string, string>,
  actual: ReadonlyMap<string, string>,
): string[] {
  const keys = new Set([...expected.keys(), ...actual.keys()])
  for (const key of keys)
    if (expected.get(key) !== actual.get(key))
      return [`${place}: ${JSON.stringify(key)} is ${short(actual.get(key))}, wanted ${short(expected.get(key))}`]
  return []
}

const short = (value: string | undefined): string =>
  value === undefined ? 'absent' : JSON.stringify(value.slice(0, 60))

function modelFindings(data: LedgerData): string[] {
  return data.stores.flatMap((store) => {
    const expected = modelOf(data, store)
    return expected === null
      ? []
      : differentRows(store.place, expected, folded(store.changelog, store.lastStableOffset))
  })
}

/** Null for the engine's own stores: timers, calls. */
function modelOf(data: LedgerData, { store, partition }: StoreRows): Map<string, string> | null {
  if (store === 'balances') {
    const place = `${topics.entries}-${partition}`
    return posted(covered(data, data.entries[partition] ?? [], 'ledger', place)).rows
  }
  if (store === 'totals')
    return totalled(covered(data, data.moved[partition] ?? [], 'ledger', movedPlace(data, partition))).rows
  if (store === 'seen')
    return new Map([...byKey(data.checked[partition] ?? [])].map(([key, records]) => [key, String(records.length)]))
  return null
}

function stepsBack({ committed }: LedgerData, before: ReadonlyMap<string, bigint>): string[] {
  return [...before].flatMap(([place, offset]) => {
    const now = committed.get(place) ?? 0n
    return now < offset ? [`${place} was committed to ${offset}, now to ${now}`] : []
  })
}

function endFindings(data: LedgerData): string[] {
  const inputs: [string, string, ReadTopic][] = [
    ['ledger', topics.entries, data.entries],
    ['audit', topics.postings, data.postings],
    ['audit', topics.groups, data.groups],
  ]
  const left = inputs.flatMap(([group, topic, read]) =>
    read.flatMap((records, partition) => {
      const unread = records.length - covered(data, records, group, `${topic}-${partition}`).length
      return unread === 0 ? [] : [`${topic}-${partition}: ${unread} records were not read`]
    }),
  )
  const armed = data.stores
    .filter(({ store }) => store === 'idle-timers')
    .flatMap(({ changelog, lastStableOffset, place }) =>
      [...folded(changelog, lastStableOffset)]
        .filter(([, value]) => Buffer.from(value, 'latin1').readBigInt64BE(0) !== -1n)
        .map(([key]) => `${place}: the timer of ${JSON.stringify(key)} has not fired`),
    )
  return [...left, ...armed, ...data.left, ...data.open.map((line) => `a transaction is open: ${line}`)]
}

function deadFindings(data: LedgerData): string[] {
  const elsewhere = data.deadElsewhere === 0 ? [] : [`${data.deadElsewhere} dead letters of other topics`]
  const ofEntries = data.entries.flatMap((entries, partition) => {
    const taken = covered(data, entries, 'ledger', `${topics.entries}-${partition}`)
    const bad = taken.filter(({ key, value }) => parseEntry(key, value ?? '').bad)
    return differences(`dead letters of ${topics.entries}-${partition}`, bad, data.dead[partition] ?? [])
  })
  return [...elsewhere, ...ofEntries]
}
