/**
 * Saves the checkpoints of LangGraph runs as rows (`checkpoint-rows.ts`). The package is heavy to load: import this file
 * where a graph runs, not at the start of a process.
 *
 * CS1  Each call writes one batch, values before the checkpoint that names them, and what a task has written is one row: a
 *      task of which some is there counts as done. So any prefix of the rows is a thread that can go on.
 * CS2  A checkpoint's values are the channels that changed with it; the others are read at the version they stand at.
 * CS3  What a task has written stands once: a repeated task does not overwrite it, but for errors and interrupts.
 * CS4  Compaction keeps the newest checkpoints of each namespace of a thread, with what the tasks after them have written
 *      and every value that they name, and nothing else. What this saver has put last is the newest there, whatever clock
 *      made the ids: one with a greater id, of a clock that was ahead, is dropped.
 */

import { isDeepStrictEqual } from 'node:util'
import type { RunnableConfig } from '@langchain/core/runnables'
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointListOptions,
  CheckpointMetadata,
  CheckpointPendingWrite,
  CheckpointTuple,
  PendingWrite,
  SerializerProtocol,
} from '@langchain/langgraph-checkpoint'
import {
  BaseCheckpointSaver,
  TASKS,
  WRITES_IDX_MAP,
  compareWritesSortKeys,
  copyCheckpoint,
  getCheckpointId,
  maxChannelVersion,
  writesSortKey,
} from '@langchain/langgraph-checkpoint'
import type { CheckpointRow, CheckpointRows } from './checkpoint-rows.ts'
import { keyParts, rowKey, rowsOfThread, rowsUnder } from './checkpoint-rows.ts'
import { packParts, unpackParts } from './packed-parts.ts'

/** The format of checkpoints from which on tasks that were sent stand in a channel, not in the parent's writes. */
const sentInChannel = 4

interface Place {
  readonly thread: string
  readonly ns: string
  readonly id: string
}

/** One write of a task. */
interface Written {
  /** Its position among them; negative for an error or an interrupt. */
  readonly index: number
  readonly channel: string
  readonly path: string
  readonly type: Buffer
  readonly bytes: Buffer
}

export class RowCheckpointSaver extends BaseCheckpointSaver {
  readonly #rows: CheckpointRows
  /** What was put last, by thread and namespace. */
  readonly #last = new Map<string, string>()

  /** @param serde how values become bytes; LangGraph's own unless told */
  constructor(rows: CheckpointRows, serde?: SerializerProtocol) {
    super(serde)
    this.#rows = rows
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { thread, ns } = placeIn(config)
    if (thread === undefined) return undefined
    const id = getCheckpointId(config) || this.#newest(thread, ns)
    return id === undefined ? undefined : this.#read({ thread, ns, id })
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread } = placeIn(config)
    const ns = config.configurable?.['checkpoint_ns'] as string | undefined
    const only = getCheckpointId(config) || undefined
    const before = options.before === undefined ? undefined : getCheckpointId(options.before) || undefined
    let left = options.limit ?? Infinity
    for (const place of this.#places(thread, ns)) {
      if (left <= 0) return
      if (only !== undefined && place.id !== only) continue
      if (before !== undefined && place.id >= before) continue
      const tuple = await this.#read(place)
      if (tuple === undefined || !fits(tuple.metadata, options.filter)) continue
      left--
      yield tuple
    }
  }

  /** CS1, CS2. */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { thread, ns } = threadOf(config, 'a checkpoint')
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint)
    const rows: CheckpointRow[] = await Promise.all(
      Object.entries(newVersions).map(async ([channel, version]) => ({
        key: rowKey('b', thread, ns, channel, version),
        value: channel in values ? packParts(await this.#dump(values[channel])) : packParts([]),
      })),
    )
    const parent = getCheckpointId(config) || ''
    const value = packParts([...(await this.#dump(rest)), ...(await this.#dump(metadata)), Buffer.from(parent)])
    this.#rows.write([...rows, { key: rowKey('c', thread, ns, checkpoint.id), value }])
    this.#last.set(idOf('c', thread, ns), checkpoint.id)
    return configOf({ thread, ns, id: checkpoint.id })
  }

  /** CS3. */
  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { thread, ns } = threadOf(config, 'writes')
    const id = getCheckpointId(config)
    if (!id) throw new Error('writes need a checkpoint_id in their configurable')
    const told = await Promise.all(
      writes.map(async ([channel, value], position): Promise<Written> => {
        const [type, bytes] = await this.#dump(value)
        return { index: WRITES_IDX_MAP[channel] ?? position, channel, path: taskPath, type, bytes }
      }),
    )
    const key = rowKey('w', thread, ns, id, taskId)
    const written = new Map(readWritten(this.#rows.get(key)).map((one) => [one.index, one]))
    for (const one of told) if (one.index < 0 || !written.has(one.index)) written.set(one.index, one)
    this.#rows.write([{ key, value: packWritten([...written.values()]) }])
  }

  override deleteThread(threadId: string): Promise<void> {
    const keys = rowsOfThread(threadId).flatMap((range) => Array.from(this.#rows.range(range), ([key]) => key))
    this.#rows.write(keys.map((key) => ({ key, value: null })))
    return Promise.resolve()
  }

  /**
   * CS4. The history of channels that keep differences (`DeltaChannel`) may not be cut: do not compact threads that use them.
   * @param keep checkpoints of each namespace, at least 1
   */
  async compact(thread: string, keep: number): Promise<void> {
    if (!Number.isSafeInteger(keep) || keep < 1) throw new Error(`a thread keeps at least 1 checkpoint, not ${keep}`)
    const places = Array.from(this.#places(thread, undefined)).filter(
      ({ ns, id }) => id <= (this.#last.get(idOf('c', thread, ns)) ?? id),
    )
    const kept = places.filter(({ ns }, index) => {
      const newer = places.slice(0, index).filter((other) => other.ns === ns).length
      return newer < keep
    })
    const needed = new Set<string>()
    for (const { ns, id } of kept) {
      needed.add(idOf('c', ns, id))
      const checkpoint = await this.#checkpoint({ thread, ns, id })
      for (const [channel, version] of Object.entries(checkpoint?.rest.channel_versions ?? {}))
        needed.add(idOf('b', ns, channel, String(version)))
    }
    const rows = rowsOfThread(thread).flatMap((range) => Array.from(this.#rows.range(range), ([key]) => key))
    const stale = rows.filter((key) => {
      const kind = String.fromCharCode(key[0] ?? 0)
      const [, ns = '', ...parts] = keyParts(key)
      return !needed.has(kind === 'w' ? idOf('c', ns, parts[0] ?? '') : idOf(kind, ns, ...parts))
    })
    this.#rows.write(stale.map((key) => ({ key, value: null })))
  }

  /** Checkpoints, of each namespace the newest first. */
  *#places(thread: string | undefined, ns: string | undefined): Generator<Place> {
    const range = thread === undefined ? rowsUnder('c') : ns === undefined ? rowsUnder('c', thread) : rowsUnder('c', thread, ns) // prettier-ignore
    for (const [key] of this.#rows.range({ ...range, reverse: true })) {
      const [of = '', inNs = '', id = ''] = keyParts(key)
      if (ns === undefined || inNs === ns) yield { thread: of, ns: inNs, id }
    }
  }

  #newest(thread: string, ns: string): string | undefined {
    for (const [key] of this.#rows.range({ ...rowsUnder('c', thread, ns), reverse: true, limit: 1 }))
      return keyParts(key)[2]
    return undefined
  }

  async #checkpoint(place: Place): Promise<{
    readonly rest: Omit<Checkpoint, 'channel_values'>
    readonly metadata: CheckpointMetadata
    readonly parent: string
  } | null> {
    const row = this.#rows.get(rowKey('c', place.thread, place.ns, place.id))
    if (row === undefined) return null
    const [type, bytes, metadataType, metadata, parent] = unpackParts(row)
    return {
      rest: (await this.#parse(type, bytes)) as Omit<Checkpoint, 'channel_values'>,
      metadata: (await this.#parse(metadataType, metadata)) as CheckpointMetadata,
      parent: parent?.toString('utf8') ?? '',
    }
  }

  async #read(place: Place): Promise<CheckpointTuple | undefined> {
    const found = await this.#checkpoint(place)
    if (found === null) return undefined
    const checkpoint: Checkpoint = { ...found.rest, channel_values: await this.#values(place, found.rest) }
    const writes = await this.#writes(place)
    const pendingWrites = writes.map(({ task, channel, value }): CheckpointPendingWrite => [task, channel, value])
    const tuple: CheckpointTuple = { config: configOf(place), checkpoint, metadata: found.metadata, pendingWrites }
    if (found.parent === '') return tuple
    const parent = { ...place, id: found.parent }
    if (checkpoint.v < sentInChannel) await this.#takeSent(checkpoint, parent)
    return { ...tuple, parentConfig: configOf(parent) }
  }

  async #values({ thread, ns }: Place, rest: Omit<Checkpoint, 'channel_values'>): Promise<Record<string, unknown>> {
    const values = await Promise.all(
      Object.entries(rest.channel_versions).map(async ([channel, version]): Promise<[string, unknown][]> => {
        const [type, bytes] = unpackParts(this.#rows.get(rowKey('b', thread, ns, channel, version)) ?? Buffer.alloc(0))
        return type === undefined ? [] : [[channel, await this.#parse(type, bytes)]]
      }),
    )
    return Object.fromEntries(values.flat())
  }

  /** In the order in which a run applies them, which is not that of the keys. */
  async #writes({ thread, ns, id }: Place): Promise<{ task: string; channel: string; value: unknown }[]> {
    const written = Array.from(this.#rows.range(rowsUnder('w', thread, ns, id))).flatMap(([key, row]) => {
      const task = keyParts(key)[3] ?? ''
      return readWritten(row).map((one) => ({ ...one, task, order: writesSortKey(one.path, task, one.index) }))
    })
    written.sort((a, b) => compareWritesSortKeys(a.order, b.order))
    return Promise.all(
      written.map(async ({ task, channel, type, bytes }) => ({ task, channel, value: await this.#parse(type, bytes) })),
    )
  }

  /** Checkpoints of before format 4 have the tasks that were sent among the writes of their parent. */
  async #takeSent(checkpoint: Checkpoint, parent: Place): Promise<void> {
    const writes = await this.#writes(parent)
    checkpoint.channel_values[TASKS] = writes.filter(({ channel }) => channel === TASKS).map(({ value }) => value)
    const versions = Object.values(checkpoint.channel_versions)
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined)
  }

  async #dump(value: unknown): Promise<[Buffer, Buffer]> {
    const [type, bytes] = await this.serde.dumpsTyped(value)
    return [Buffer.from(type), Buffer.from(bytes)]
  }

  #parse(type: Buffer | undefined, bytes: Buffer | undefined): Promise<unknown> {
    return this.serde.loadsTyped(type?.toString('utf8') ?? '', bytes ?? Buffer.alloc(0)) as Promise<unknown>
  }
}

const idOf = (kind: string, ...parts: readonly string[]): string => JSON.stringify([kind, ...parts])

const packWritten = (written: readonly Written[]): Buffer =>
  packParts(
    written.flatMap(({ index, channel, path, type, bytes }) => [
      ...[String(index), channel, path].map((text) => Buffer.from(text, 'utf8')),
      type,
      bytes,
    ]),
  )

function readWritten(row: Buffer | undefined): Written[] {
  const parts = row === undefined ? [] : unpackParts(row)
  const text = (at: number): string => parts[at]?.toString('utf8') ?? ''
  const part = (at: number): Buffer => parts[at] ?? Buffer.alloc(0)
  return Array.from({ length: parts.length / 5 }, (_, n) => ({
    index: Number(text(5 * n)),
    channel: text(5 * n + 1),
    path: text(5 * n + 2),
    type: part(5 * n + 3),
    bytes: part(5 * n + 4),
  }))
}

function placeIn(config: RunnableConfig): { readonly thread: string | undefined; readonly ns: string } {
  const { thread_id: thread, checkpoint_ns: ns } = (config.configurable ?? {}) as Record<string, string | undefined>
  return { thread, ns: ns ?? '' }
}

function threadOf(config: RunnableConfig, what: string): { readonly thread: string; readonly ns: string } {
  const { thread, ns } = placeIn(config)
  if (thread === undefined || thread === '') throw new Error(`${what} needs a thread_id in the configurable`)
  return { thread, ns }
}

const configOf = ({ thread, ns, id }: Place): RunnableConfig => ({
  configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id },
})

function fits(metadata: CheckpointMetadata | undefined, filter: Record<string, unknown> | undefined): boolean {
  const has = (metadata ?? {}) as Record<string, unknown>
  return Object.entries(filter ?? {}).every(([key, value]) => isDeepStrictEqual(has[key], value))
}
