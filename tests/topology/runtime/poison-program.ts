/** A program that can be given every kind of poison, and a model of what the engine must make of it. */

import { partitionFor } from '../../../connectors/kafka/index.ts'
import type { Serde, StreamRecord, Topology } from '../../../topology/index.ts'
import { BadRecord, TopologyBuilder, stringSerde } from '../../../topology/index.ts'
import { out } from './programs.ts'

export const partitions = 3

/** A record before it is sent. */
export interface Given {
  readonly key: Buffer
  readonly value: Buffer
  readonly timestamp: number
}

/** What is wrong with a record, by its value; null when nothing is. `flaky` is wrong while its step is broken. */
export type Kind = 'bad_key' | 'bad_value' | 'throw' | 'throw_odd' | 'huge' | 'undeclared' | 'state' | 'timestamp' | 'flaky' // prettier-ignore

export const kinds: readonly Kind[] = [
  ...(['bad_key', 'bad_value', 'throw', 'throw_odd', 'huge', 'undeclared', 'state', 'timestamp', 'flaky'] as const),
]

export const reasons: Readonly<Record<Kind, string>> = {
  bad_key: 'bad_key',
  bad_value: 'bad_frame',
  throw: 'step_failed',
  throw_odd: 'step_failed',
  huge: 'record_too_large',
  undeclared: 'undeclared_topic',
  state: 'state_too_large',
  timestamp: 'bad_timestamp',
  flaky: 'step_failed',
}

/** Refuses bytes that begin with 0xff. */
const strict = (reason: string): Serde<string> => ({
  serialize: (value) => Buffer.from(value),
  deserialize: (bytes) => {
    if (bytes[0] === 0xff) throw new BadRecord(reason, 'not text')
    return bytes.toString()
  },
})

/** @param isBroken whether the step fails for `flaky` records now; repairing it is a deployment */
export function poisonProgram(isBroken: () => boolean): Topology {
  const emit = (record: StreamRecord<string, string>, count: number): StreamRecord => {
    const kind = record.value.split(' ')[0]
    const plain = `${record.value.split(' ')[1]}:${count}`
    const value = kind === 'huge' ? 'x'.repeat(1_100_000) : kind === 'undeclared' ? `undeclared ${plain}` : plain
    return out(record.key, value, kind === 'timestamp' ? -1 : record.timestamp)
  }
  return new TopologyBuilder('poisoned')
    .source('in', { topic: 'in', key: strict('bad_key'), value: strict('bad_frame') })
    .store('counts')
    .store('set-aside', { kind: 'set-aside' })
    .processor('count', {
      parents: ['in'],
      stores: ['counts', 'set-aside'],
      supplier: () => ({
        process(record, context) {
          const { key, value } = record as StreamRecord<string, string>
          const [kind] = value.split(' ')
          const row = Buffer.from(key)
          const count = Number(context.store('counts').get(row)?.toString() ?? 0) + 1
          // Everything is written before the step fails: nothing of it may be left.
          context.store('counts').put(row, Buffer.from(String(count)))
          if (kind === 'state') context.store('counts').put(row, Buffer.alloc(2_000_000))
          context.forward(emit(record as StreamRecord<string, string>, count))
          if (kind === 'throw' || (kind === 'flaky' && isBroken())) throw new Error('the step broke')
          if (kind === 'throw_odd') throw Object.create(null)
        },
      }),
    })
    .sink('out', {
      parents: ['count'],
      topics: ['out', 'other'],
      choose: (record) => ((record.value as string).startsWith('undeclared') ? 'nowhere' : 'out'),
      key: stringSerde,
      value: stringSerde,
    })
    .build()
}

export const partitionOf = (key: Buffer): number => partitionFor(key, partitions)

/** The kind of a record, as its bytes say. */
export function kindOf({ key, value }: Pick<Given, 'key' | 'value'>): Kind | null {
  if (key[0] === 0xff) return 'bad_key'
  if (value[0] === 0xff) return 'bad_value'
  const kind = value.toString().split(' ')[0] as Kind
  return kinds.includes(kind) ? kind : null
}

export const isBad = (record: Given, isBroken: boolean): boolean => {
  const kind = kindOf(record)
  return kind !== null && (kind !== 'flaky' || isBroken)
}

export interface Outcome {
  /** `key=value` in order, by partition. */
  readonly outputs: string[][]
  readonly dead: {
    readonly record: Given
    readonly partition: number
    readonly offset: number
    readonly kind: Kind
  }[][]
  /** By key, Latin-1: the offset it is blocked for, and how many records wait. */
  readonly blocked: Map<string, { kind: Kind; partition: number; offset: number; waiting: Given[] }>
}

/** What must come of records in the order in which they stand in their partitions. */
export function modelOf(records: readonly Given[], isBroken: boolean): Outcome {
  const outcome: Outcome = {
    outputs: Array.from({ length: partitions }, () => []),
    dead: Array.from({ length: partitions }, () => []),
    blocked: new Map(),
  }
  const next = new Array<number>(partitions).fill(0)
  const counts = new Map<string, number>()
  for (const record of records) {
    const partition = partitionOf(record.key)
    const offset = next[partition] ?? 0
    next[partition] = offset + 1
    const id = record.key.toString('latin1')
    const blocked = outcome.blocked.get(id)
    if (blocked !== undefined) {
      blocked.waiting.push(record)
      continue
    }
    const kind = kindOf(record)
    if (kind !== null && isBad(record, isBroken)) {
      outcome.dead[partition]?.push({ record, partition, offset, kind })
      outcome.blocked.set(id, { kind, partition, offset, waiting: [record] })
      continue
    }
    counts.set(id, (counts.get(id) ?? 0) + 1)
    outcome.outputs[partition]?.push(outputOf(record, counts.get(id) ?? 0))
  }
  return outcome
}

export const outputOf = ({ key, value }: Given, count: number): string =>
  `${key.toString()}=${value.toString().split(' ')[1]}:${count}`

/** By key: what stands in the output once every bad record was given up and every other processed. */
export function finalOutputs(records: readonly Given[]): Map<string, string[]> {
  const final = new Map<string, string[]>()
  for (const record of records) {
    if (isBad(record, false)) continue
    const id = record.key.toString('latin1')
    const before = final.get(id) ?? []
    final.set(id, [...before, outputOf(record, before.length + 1)])
  }
  return final
}
