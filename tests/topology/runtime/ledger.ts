/**
 * A program whose outputs tell what its state was, and a model of it: every value it reads from its stores is part of what it
 * writes, and a value is long, so that rows fill many blocks on disk.
 */

import { createHash } from 'node:crypto'
import { partitionFor } from '../../../connectors/kafka/index.ts'
import type { Topology } from '../../../topology/index.ts'
import { TopologyBuilder } from '../../../topology/index.ts'
import { out, text } from './programs.ts'

export interface Entry {
  readonly key: string
  /** Adds one to the key's count, or deletes the key. */
  readonly value: 'add' | 'drop'
  readonly timestamp: number
}

const WINDOW_MS = 60_000
const valueOf = (key: string, count: number): string => `${key} ${count} `.repeat(60)
const digest = (value: string | undefined): string =>
  value === undefined ? 'none' : createHash('sha256').update(value).digest('hex').slice(0, 12)

/** Writes, for each entry, digests of what its key's row and window held before, and the count after. */
export function ledgerProgram(): Topology {
  return new TopologyBuilder('ledger')
    .source('entries', { topic: 'entries', ...text })
    .store('sums')
    .store('windows', { kind: 'window', windowSizeMs: WINDOW_MS, retentionMs: 10 * WINDOW_MS })
    .processor('keep', {
      parents: ['entries'],
      stores: ['sums', 'windows'],
      supplier: () => ({
        process(record, context) {
          const [key, name] = [Buffer.from(record.key as string), record.key as string]
          const [sums, windows] = [context.store('sums'), context.windowStore('windows')]
          const start = record.timestamp - (record.timestamp % WINDOW_MS)
          const [before, windowed] = [sums.get(key)?.toString(), windows.get(key, start)?.toString()]
          const line = `${digest(before)} ${digest(windowed)}`
          windows.put(key, start, Buffer.from(valueOf(name, countOf(windowed) + 1)))
          if (record.value === 'drop') sums.delete(key)
          else sums.put(key, Buffer.from(valueOf(name, countOf(before) + 1)))
          context.forward(out(name, line, record.timestamp))
        },
      }),
    })
    .sink('out', { parents: ['keep'], topics: ['ledger-out'], ...text })
    .build()
}

const countOf = (value: string | undefined): number => Number(value?.split(' ')[1] ?? 0)

/** What a reader of each partition must see. */
export function ledgerModel(entries: readonly Entry[], partitions: number): readonly (readonly string[])[] {
  const outputs: string[][] = Array.from({ length: partitions }, () => [])
  const [sums, windows] = [new Map<string, string>(), new Map<string, string>()]
  for (const { key, value, timestamp } of entries) {
    const window = `${key}@${timestamp - (timestamp % WINDOW_MS)}`
    const [before, windowed] = [sums.get(key), windows.get(window)]
    outputs[partitionFor(Buffer.from(key), partitions)]?.push(`${key}=${digest(before)} ${digest(windowed)}`)
    windows.set(window, valueOf(key, countOf(windowed) + 1))
    if (value === 'drop') sums.delete(key)
    else sums.set(key, valueOf(key, countOf(before) + 1))
  }
  return outputs
}
