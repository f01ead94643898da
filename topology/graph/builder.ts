/** Declares a topology; `build()` judges it whole and freezes it. */

import { EngineError } from '../errors.ts'
import type { AsyncOperation, Node, NodeProcessor, RepartitionNode, StoreNode, TimerUse } from './nodes.ts'
import type { StreamRecord } from './record.ts'
import type { Serde } from './serde.ts'
import { splitSubTopologies } from './sub-topologies.ts'
import type { Topology } from './topology.ts'
import { validate } from './validate.ts'

export type StoreOptions =
  | { kind?: Exclude<StoreNode['kind'], 'window'>; logged?: boolean }
  | {
      kind: 'window'
      logged?: boolean
      /** Length of a window, in ms. */
      windowSizeMs: number
      /** How long a window is kept after its start, in ms of the greatest start seen; at least size and grace. */
      retentionMs: number
      /** Values of one key and start stand side by side: for joins. */
      retainDuplicates?: boolean
    }

export class TopologyBuilder {
  readonly #name: string
  readonly #nodes: Node[] = []
  readonly #stores: StoreNode[] = []
  readonly #repartitions: RepartitionNode[] = []
  readonly #partNames = new Map<string, string>()

  constructor(name: string) {
    this.#name = name
  }

  source(
    name: string,
    options: { topic: string; key: Serde<never> | Serde<unknown>; value: Serde<never> | Serde<unknown> },
  ): this {
    this.#nodes.push({
      kind: 'source',
      name,
      topic: options.topic,
      key: options.key as Serde<unknown>,
      value: options.value as Serde<unknown>,
    })
    return this
  }

  processor(
    name: string,
    options: {
      parents: readonly string[]
      stores?: readonly string[]
      timers?: TimerUse
      supplier: () => NodeProcessor
    },
  ): this {
    const { parents, stores = [], timers = null, supplier } = options
    this.#nodes.push({ kind: 'processor', name, parents, stores, timers, supplier })
    return this
  }

  async<R, A, L = unknown>(
    name: string,
    options: {
      parents: readonly string[]
      doneStore: string
      waitingStore: string
      /** What calls start from and answers write. */
      stores?: readonly string[]
      operator: AsyncOperation<R, A, L>
    },
  ): this {
    const { stores = [], operator } = options
    this.#nodes.push({ kind: 'async', name, ...options, stores, operator: operator as unknown as AsyncOperation })
    return this
  }

  sink(
    name: string,
    options: {
      parents: readonly string[]
      topics: readonly string[]
      /** Which of the topics; may be left out when there is one. */
      choose?: (record: StreamRecord) => string
      key: Serde<never> | Serde<unknown>
      value: Serde<never> | Serde<unknown>
    },
  ): this {
    const [first] = options.topics
    this.#nodes.push({
      kind: 'sink',
      name,
      parents: options.parents,
      topics: options.topics,
      choose: options.choose ?? (() => first ?? ''),
      key: options.key as Serde<unknown>,
      value: options.value as Serde<unknown>,
    })
    return this
  }

  store(name: string, options: StoreOptions = {}): this {
    const { kind = 'state', logged = true } = options
    if (options.kind !== 'window') this.#stores.push({ name, kind, logged })
    else {
      const { windowSizeMs, retentionMs, retainDuplicates = false } = options
      this.#stores.push({ name, kind, logged, window: Object.freeze({ windowSizeMs, retentionMs, retainDuplicates }) })
    }
    return this
  }

  repartition(name: string, partitions: number | null = null): this {
    this.#repartitions.push({ name, partitions })
    return this
  }

  /** Names the part that a source is in: durable, needed when there is more than one. */
  part(name: string, options: { source: string }): this {
    this.#partNames.set(options.source, name)
    return this
  }

  /** @throws EngineError INVALID_TOPOLOGY, one line per finding. */
  build(): Topology {
    const parts = {
      name: this.#name,
      nodes: this.#nodes,
      stores: this.#stores,
      repartitions: this.#repartitions,
      partNames: this.#partNames,
    }
    const findings = validate(parts)
    if (findings.length > 0) throw new EngineError('INVALID_TOPOLOGY', findings.join('\n'), 'stop')
    for (const node of parts.nodes) Object.freeze(node)
    return Object.freeze({
      name: parts.name,
      nodes: Object.freeze([...parts.nodes]),
      stores: Object.freeze([...parts.stores]),
      repartitions: Object.freeze([...parts.repartitions]),
      partNames: new Map(parts.partNames),
      subTopologies: Object.freeze(splitSubTopologies(parts)),
    })
  }
}
