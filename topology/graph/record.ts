import type { Header } from '../../connectors/kafka/index.ts'

/** What flows between nodes. A record is never changed; a node forwards a new one. */
export interface StreamRecord<K = unknown, V = unknown> {
  readonly key: K
  readonly value: V
  /** Event time in ms; carried to sinks and changelogs. */
  readonly timestamp: number
  readonly headers: readonly Header[]
}

/** Where a record came from. */
export interface RecordOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

export const noHeaders: readonly Header[] = Object.freeze([])
