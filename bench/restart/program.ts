/** Keeps the last value of each key, and says of each record that it was seen: as much state as the input is wide. */

import type { Topology } from '../../topology/index.ts'
import { TopologyBuilder, bytesSerde } from '../../topology/index.ts'

export const partitions = 12
export const valueBytes = 200

const bytes = { key: bytesSerde, value: bytesSerde }
const seen = Buffer.of(1)

export interface ProgramTopics {
  readonly application: string
  readonly input: string
  readonly output: string
}

export function keepProgram({ application, input, output }: ProgramTopics): Topology {
  return new TopologyBuilder(application)
    .source('in', { topic: input, ...bytes })
    .store('last')
    .processor('keep', {
      parents: ['in'],
      stores: ['last'],
      supplier: () => ({
        process(record, context) {
          context.store('last').put(record.key as Buffer, record.value as Buffer)
          context.forward({ ...record, value: seen })
        },
      }),
    })
    .sink('out', { parents: ['keep'], topics: [output], ...bytes })
    .build()
}

/** The same for both sides; the 16 bytes spread over the partitions. */
export function keyOf(n: number): Buffer {
  const key = Buffer.alloc(16)
  key.writeUInt32BE(Math.imul(n, 0x9e3779b1) >>> 0, 0)
  key.writeUInt32BE(n, 4)
  return key
}
