/** G3: a timer of the ledger fires once, in its place among the entries of its account. */

import { idleMsOf, parseEntry } from './entries.ts'
import type { Expectation } from './expectation.ts'
import { topics } from './programs.ts'
import type { LedgerData, ReadRecord } from './read.ts'

/** An entry whose timestamp lies this close before its account's timer may come after it: it was under way. In ms. */
const underWayMs = 400

/** A posting that a timer made. */
export const isIdle = (record: ReadRecord): boolean => record.value?.startsWith('idle:') === true

interface Account {
  count: number
  last: number
  dueAt: number | null
  firedAt: number | null
}

/** What is known of an entry's time. */
interface EntryTime {
  readonly time: number
  /** It came to the log long after its time, or may have. */
  readonly late: boolean
}

export function timerFindings(data: LedgerData, expected: Expectation): string[] {
  const isLate = lateEntries(expected)
  return data.postings.flatMap((postings, partition) => {
    const times = new Map<string, EntryTime>()
    for (const { key, value, timestamp } of data.entries[partition] ?? []) {
      const { producer, n } = parseEntry(key, value ?? '')
      times.set(`${producer}:${n}`, { time: timestamp, late: isLate(producer, n) })
    }
    const accounts = new Map<string, Account>()
    return postings.flatMap((record) => {
      const account = accounts.get(record.key) ?? { count: 0, last: 0, dueAt: null, firedAt: null }
      accounts.set(record.key, account)
      const place = `${topics.postings}-${partition}@${record.offset} ${record.key}=${record.value}`
      return isIdle(record) ? fired(account, record, place) : passed(account, record, times, place)
    })
  })
}

/** Those that their producer waited for, and those that it never heard of: a broker may have taken them when it was dead. */
function lateEntries({ acknowledged, slow }: Expectation): (producer: string, n: number) => boolean {
  const slowOf = Map.groupBy(slow, ([producer]) => producer)
  return (producer, n) =>
    n > (acknowledged.get(producer) ?? -1) ||
    (slowOf.get(producer) ?? []).some(([, first, last]) => n >= first && n <= last)
}

function fired(account: Account, record: ReadRecord, place: string): string[] {
  const [, dueAt, count] = (record.value ?? '').split(':').map(Number)
  const isRight = account.dueAt === dueAt && account.count === count && record.timestamp === dueAt
  const wanted = account.dueAt === null ? 'none is armed' : `armed for ${account.dueAt} after ${account.count} entries`
  account.firedAt = dueAt ?? null
  account.dueAt = null
  return isRight ? [] : [`${place}: ${wanted}`]
}

function passed(account: Account, record: ReadRecord, times: ReadonlyMap<string, EntryTime>, place: string): string[] {
  const findings: string[] = []
  const [producer, n] = (record.value ?? '').split(':')
  const { time, late } = times.get(`${producer}:${n}`) ?? { time: record.timestamp, late: false }
  if (account.dueAt !== null && account.dueAt < time)
    findings.push(`${place}: the timer due at ${account.dueAt} has not fired before this entry of ${time}`)
  if (account.firedAt !== null && !late && time <= account.firedAt - underWayMs)
    findings.push(`${place}: the timer due at ${account.firedAt} fired before this entry of ${time}`)
  account.count += 1
  if (time <= account.last) return findings
  account.last = time
  account.dueAt = time + idleMsOf(record.key)
  account.firedAt = null
  return findings
}
