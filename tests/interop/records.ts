/** Records as everybody here says them, so that what two clients have seen can be compared. */

import { setTimeout as sleep } from 'node:timers/promises'
import { RecordBatchBuilder, RecordCursor } from '../../connectors/kafka/index.ts'
import type { Header, Isolation, Log } from '../../connectors/kafka/index.ts'
import type { JavaPeer } from './java-peer.ts'

const markersMs = 10_000

/** Bytes as latin-1 text. */
export interface Seen {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [key: string, value: string | null])[]
}

/** What is written: the same without its place. */
export type Written = Omit<Seen, 'partition' | 'offset'>

export const at = 1_767_225_600_000

export const written = (
  key: string | null,
  value: string | null,
  more: { readonly timestamp?: number; readonly headers?: Written['headers'] } = {},
): Written => ({ timestamp: more.timestamp ?? at, key, value, headers: more.headers ?? [] })

const bytesOf = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'latin1'))
const textOf = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString('latin1'))
const fromBase64 = (text: string | null): string | null => textOf(text === null ? null : Buffer.from(text, 'base64'))
const toBase64 = (text: string | null): string | null => bytesOf(text)?.toString('base64') ?? null

export function batchOf(records: readonly Written[]): RecordBatchBuilder {
  const batch = new RecordBatchBuilder()
  for (const { timestamp, key, value, headers } of records) {
    const own = headers.map(([name, bytes]): Header => ({ key: name, value: bytesOf(bytes) ?? Buffer.alloc(0) }))
    batch.append(timestamp, bytesOf(key), bytesOf(value), own)
  }
  return batch
}

/** Until every transaction of a topic that was ended can be read: an end is answered when it is decided, its markers follow. */
export async function markersWritten(log: Log, topic: string): Promise<void> {
  const [known] = await log.metadata([topic])
  const places = Array.from({ length: known!.partitions }, (_, partition) => ({ topic, partition }))
  for (const deadline = Date.now() + markersMs; ; await sleep(10)) {
    const [stable, latest] = await Promise.all([log.listOffsets(places, 'stable'), log.listOffsets(places, 'latest')])
    if (stable.every((end, index) => end === latest[index])) return
    if (Date.now() > deadline)
      throw new Error(`${topic}: a transaction stays open: ${stable.join()} of ${latest.join()}`)
  }
}

/** All of a topic through our driver, by partition and offset. @param maxBytes of one fetch and partition */
export async function weRead(
  log: Log,
  topic: string,
  isolation: Isolation = 'read_committed',
  maxBytes = 1 << 20,
): Promise<Seen[]> {
  const [known] = await log.metadata([topic])
  const places = Array.from({ length: known!.partitions }, (_, partition) => ({ topic, partition }))
  const ends = await log.listOffsets(places, isolation === 'read_committed' ? 'stable' : 'latest')
  const next = [...(await log.listOffsets(places, 'earliest'))]
  const seen: Seen[] = []
  while (places.some(({ partition }) => next[partition]! < ends[partition]!)) {
    const partitions = places.map((place) => ({ ...place, offset: next[place.partition]!, maxBytes }))
    for (const fetched of await log.fetch({ partitions, isolation, maxWaitMs: 200 })) {
      if (fetched.error !== null) throw new Error(`${topic}-${fetched.partition}: ${fetched.error}`)
      const cursor = new RecordCursor(fetched, next[fetched.partition]!, isolation)
      while (cursor.next()) seen.push(seenOf(fetched.partition, cursor))
      next[fetched.partition] = cursor.nextOffset
    }
  }
  return inOrder(seen)
}

const seenOf = (partition: number, cursor: RecordCursor): Seen => ({
  partition,
  offset: Number(cursor.offset),
  timestamp: cursor.timestamp,
  key: textOf(cursor.key()),
  value: textOf(cursor.value()),
  headers: cursor.headers().map(({ key, value }) => [key, textOf(value)]),
})

export interface JavaSeen extends Seen {
  readonly timestampType: string
}

/** The same through the Java consumer. */
export async function javaReads(
  peer: JavaPeer,
  topic: string,
  isolation: Isolation = 'read_committed',
): Promise<JavaSeen[]> {
  const seen = await peer.ask<JavaSeen[]>('consume', { topic, config: { 'isolation.level': isolation } })
  return inOrder(
    seen.map((one) => ({
      ...one,
      key: fromBase64(one.key),
      value: fromBase64(one.value),
      headers: one.headers.map(([name, value]) => [name, fromBase64(value)] as const),
    })),
  )
}

/** As the Java program takes them. */
export const forJava = (records: readonly Written[], partition?: number): object[] =>
  records.map(({ timestamp, key, value, headers }) => ({
    ...(partition === undefined ? {} : { partition }),
    timestamp,
    key: toBase64(key),
    value: toBase64(value),
    headers: headers.map(([name, bytes]) => [name, toBase64(bytes)]),
  }))

export const inOrder = <S extends Seen>(seen: readonly S[]): S[] =>
  [...seen].sort((a, b) => a.partition - b.partition || a.offset - b.offset)

/** What is there of a record when nobody knows null headers. */
export const withoutNullHeaders = ({ partition, offset, timestamp, key, value, headers }: Seen): Seen => ({
  partition,
  offset,
  timestamp,
  key,
  value,
  headers: headers.map(([name, bytes]) => [name, bytes ?? '']),
})
