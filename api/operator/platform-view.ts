/** What an operator can see and do of the running platform, beside its topics. Implemented where it is put together. */

import { z } from 'zod'

const node = z.object({
  name: z.string(),
  kind: z.enum(['source', 'processor', 'async', 'sink']),
  parents: z.array(z.string()),
  topics: z.array(z.string()).meta({ description: 'Read by a source, written by a sink' }),
  stores: z.array(z.string()),
})

const part = z.object({
  name: z.string(),
  nodes: z.array(node),
  stores: z.array(z.object({ name: z.string(), kind: z.string(), changelog: z.string().nullable() })),
})

const read = z.object({
  topic: z.string(),
  lag: z
    .int()
    .nullable()
    .meta({ description: 'Records between what is committed and the end; null when it cannot be said' }),
})

export const topologyView = z.object({
  applications: z.array(
    z.object({
      name: z.string(),
      state: z.string().meta({ description: '`elsewhere` when this process does not run it', example: 'running' }),
      tasks: z.int().meta({ description: 'Of this process' }),
      tasks_in_all: z.int().meta({ description: 'Of all processes' }),
      processed: z.int(),
      blocked_keys: z.int(),
      dead_letters: z.int(),
      calls_in_flight: z.int(),
      reads: z.array(read),
      parts: z.array(part),
    }),
  ),
  projections: z.array(
    z.object({
      name: z.string(),
      topic: z.string(),
      tables: z.array(z.string()),
      state: z.string(),
      trouble: z.string().nullable(),
      lag: z.int().nullable(),
      dead_letters: z.int(),
    }),
  ),
  topics: z.array(
    z.object({ name: z.string(), partitions: z.int(), records: z.int().meta({ description: 'Offsets kept' }) }),
  ),
})
export type TopologyView = z.infer<typeof topologyView>

export const blockedKey = z.object({
  application: z.string(),
  task: z.string(),
  key: z.string(),
  count: z.int().meta({ description: 'Records set aside, the failed one included' }),
  bytes: z.int(),
  reason: z.string(),
  message: z.string(),
  topic: z.string(),
  partition: z.int(),
  offset: z.string(),
  since: z.iso.datetime(),
})
export type BlockedKeyView = z.infer<typeof blockedKey>

/** Keys wait where their task runs: what the other processes hold, they say. */
export const blockedView = z.object({
  blocked: z.array(blockedKey),
  tasks: z.int().meta({ description: 'Tasks of this process, whose keys these are' }),
  tasks_in_all: z.int().meta({ description: 'Of all processes' }),
})
export type BlockedView = z.infer<typeof blockedView>

export interface PlatformView {
  topology(): Promise<TopologyView>
  /** Of the tasks of this process. */
  blocked(): Promise<BlockedView>
  /** @returns how many are left set aside; null when nothing is set aside under the key */
  redrive(application: string, key: string, skipFirst: boolean): Promise<number | null>
}
