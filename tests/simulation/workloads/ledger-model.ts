/**
 * The step whose outputs make every error visible, and its model. Per key a count and a hash chained over ids: an output
 * that is lost, repeated, out of order, or made from wrong state differs from the model's at that place and ever after.
 */

import type { NodeProcessor, StreamRecord } from '../../../topology/index.ts'
import { noHeaders } from '../../../topology/index.ts'
import type { Evidence, SeenRecord, Violation } from '../program.ts'
import { hashText } from '../random.ts'

export interface Line {
  readonly key: string
  readonly value: string
}

/** `count|id|hash`, the row and the output. */
export function foldLedger(row: string | null, id: string): string {
  const [count = '0', , hash = '0'] = row?.split('|') ?? []
  return `${Number(count) + 1}|${id}|${hashText(id, Number(hash)) >>> 0}`
}

export const idOf = (value: string): string => value.split('|')[0] ?? ''

/** Folds the record's id into its key's row and forwards the row. */
export function ledgerStep(store: string, skip: (value: string) => boolean = () => false): () => NodeProcessor {
  return () => ({
    process(record, context) {
      const { key, value, timestamp } = record as StreamRecord<string, string>
      if (skip(value)) return
      const keyBytes = Buffer.from(key)
      const row = context.store(store).get(keyBytes)?.toString() ?? null
      const next = foldLedger(row, idOf(value))
      context.store(store).put(keyBytes, Buffer.from(next))
      context.forward({ key, value: next, timestamp, headers: noHeaders })
    },
  })
}

/** What the step makes of these records, and the rows it leaves. */
export function ledgerModel(records: readonly SeenRecord[]): {
  readonly lines: Line[]
  readonly rows: Map<string, string>
} {
  const rows = new Map<string, string>()
  const lines = records.map((record) => {
    const key = textOf(record.key)
    const value = foldLedger(rows.get(key) ?? null, idOf(textOf(record.value)))
    rows.set(key, value)
    return { key, value }
  })
  return { lines, rows }
}

/** I2 of a topic that is the ledger of another, partition by partition, element by element. */
export function checkLedger(evidence: Evidence, input: string, output: string): Violation[] {
  const violations: Violation[] = []
  for (let partition = 0; partition < evidence.partitions(input); partition++) {
    const wanted = ledgerModel(evidence.committed(input, partition)).lines
    const found = evidence.committed(output, partition).map(lineOf)
    const at = firstDifference(wanted, found)
    if (at !== null)
      violations.push({
        invariant: 'I2',
        what: `${output}-${partition} differs from the model of ${input}-${partition} at element ${at}: ${shown(found[at])} instead of ${shown(wanted[at])} (${found.length} of ${wanted.length} elements)`,
      })
  }
  return violations
}

export const lineOf = (record: SeenRecord): Line => ({ key: textOf(record.key), value: textOf(record.value) })

export const textOf = (bytes: Buffer | null): string => bytes?.toString() ?? ''

export function firstDifference(wanted: readonly Line[], found: readonly Line[]): number | null {
  for (let at = 0; at < Math.max(wanted.length, found.length); at++)
    if (wanted[at]?.key !== found[at]?.key || wanted[at]?.value !== found[at]?.value) return at
  return null
}

const shown = (line: Line | undefined): string => (line === undefined ? 'nothing' : `${line.key}=${line.value}`)

/** I6: rows of a store, as its changelog's committed records fold, against the model's. */
export function checkRows(
  evidence: Evidence,
  changelog: string,
  partition: number,
  wanted: ReadonlyMap<string, string>,
): Violation[] {
  const found = new Map<string, string>()
  for (const record of evidence.committed(changelog, partition)) {
    if (record.value === null) found.delete(textOf(record.key))
    else found.set(textOf(record.key), textOf(record.value))
  }
  for (const [key, value] of wanted)
    if (found.get(key) !== value) return [rowViolation(changelog, partition, key, found.get(key), value)]
  for (const [key, value] of found)
    if (!wanted.has(key)) return [rowViolation(changelog, partition, key, value, undefined)]
  return []
}

const rowViolation = (
  changelog: string,
  partition: number,
  key: string,
  found: string | undefined,
  wanted: string | undefined,
): Violation => ({
  invariant: 'I6',
  what: `${changelog}-${partition} holds ${found ?? 'nothing'} for ${key}, the model ${wanted ?? 'nothing'}`,
})
