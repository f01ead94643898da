import { describe, expect, test } from 'vitest'
import { CLOCK_KEY, changelogKey, encodeClock, windowKey } from '../../../state-stores/window/window-keys.ts'
import { StateFiles } from '../databases.ts'
import { SeenPartition } from '../observer.ts'
import { checkState } from './state.ts'

const changelog = (records: readonly (readonly [bigint, Buffer, string])[], next: bigint): SeenPartition => {
  const partition = new SeenPartition('changelog', 0)
  for (const [offset, key, value] of records)
    partition.records.push({
      topic: 'changelog',
      partition: 0,
      offset,
      timestamp: 0,
      key,
      value: Buffer.from(value),
      headers: [],
      producerId: 1n,
      epoch: 0,
      committed: true,
      seenAt: 0,
    })
  partition.next = next
  return partition
}

function filesAt(position: bigint, rows: readonly (readonly [Buffer, Buffer | string])[]): StateFiles {
  const files = new StateFiles()
  const written = rows.map(([key, value]) => ({ store: 's', key, value: Buffer.from(value) }))
  files.apply(written, new Map([['s', position as never]]))
  return files
}

const found = (files: StateFiles, partition: SeenPartition, retentionMs: number | null = null): number =>
  checkState('p1', files, [{ path: 'a/main_0', store: 's', partition, retentionMs }]).length

describe('I5 of a store', () => {
  const key = Buffer.from('k')

  test('a row that is not the fold of the changelog is found', () => {
    const partition = changelog([[0n, key, '1']], 2n)
    expect(found(filesAt(2n, [[key, '1']]), partition)).toBe(0)
    expect(found(filesAt(2n, [[key, '2']]), partition)).toBe(1)
    expect(found(filesAt(2n, []), partition)).toBe(1)
  })

  test('a value that nobody saw is right only where something was compacted unseen, and the key comes again', () => {
    const records = [[0n, key, '1']] as const
    const again = [...records, [6n, key, '3']] as const
    const unseen = { from: 2n, to: 6n }
    const files = filesAt(4n, [[key, '2']])
    expect(found(files, changelog(again, 8n))).toBe(1)
    const gone = changelog(again, 8n)
    gone.gaps.push(unseen)
    expect(found(files, gone)).toBe(0)
    const last = changelog(records, 8n)
    last.gaps.push(unseen)
    expect(found(files, last)).toBe(1)
    const before = changelog([[3n, key, '1'], again[1]], 8n)
    before.gaps.push({ from: 0n, to: 3n })
    expect(found(files, before)).toBe(1)
  })
})

describe('I5 of a window store', () => {
  const [old, other] = ['k', 'l'].map((key) => windowKey(0, Buffer.from(key), 1_000, 0)) as [Buffer, Buffer]
  const clockAt = (observed: number): readonly [Buffer, Buffer] => [CLOCK_KEY, encodeClock({ observed, sequence: 0 })]
  const partition = changelog(
    [
      [0n, changelogKey(old), '1'],
      [1n, changelogKey(other), '1'],
    ],
    3n,
  )

  test('a row may be gone when its window is over by the clock of the store, whatever else is there, and not before', () => {
    expect(found(filesAt(3n, [[other, '1'], clockAt(6_000)]), partition, 5_000)).toBe(0)
    expect(found(filesAt(3n, [[other, '1'], clockAt(5_999)]), partition, 5_000)).toBe(1)
    expect(found(filesAt(3n, [[other, '1']]), partition, 5_000)).toBe(1)
  })

  test('a row that is there must be right at any age', () =>
    expect(found(filesAt(3n, [[old, '2'], [other, '1'], clockAt(9_000)]), partition, 5_000)).toBe(1))
})
