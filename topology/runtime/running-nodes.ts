/** The nodes of one task, running: records pass from node to node by plain synchronous calls. */

import type { KeyValueStore, WindowStore } from '../../state-stores/index.ts'
import { BadRecord } from '../errors.ts'
import type { Node, NodeContext, NodeProcessor, ProcessorNode, SinkNode } from '../graph/nodes.ts'
import type { RecordOrigin, StreamRecord } from '../graph/record.ts'
import type { SubTopology, Topology } from '../graph/topology.ts'
import { parentsOf, topicName } from '../graph/topology.ts'
import type { AsyncOperator } from './async-operator.ts'
import type { Collector } from './collector.ts'
import type { TimerTable } from './timers.ts'

/** What the nodes see of the task: the record or timer being handled, and the task's parts. */
export interface TaskFrame {
  readonly partition: number
  timestamp: number
  rawKey: Buffer | null
  streamTime: number
  now(): number
  origin(): RecordOrigin | null
  store(name: string): KeyValueStore
  windowStore(name: string): WindowStore
  dropLate(): void
  timers(name: string): TimerTable
}

export interface RunningNode {
  readonly name: string
  readonly children: RunningNode[]
  receive(record: StreamRecord): void
}

/** A processor node: its own context, so that forward() knows its children. */
export class RunningProcessor implements RunningNode, NodeContext {
  readonly name: string
  readonly children: RunningNode[] = []
  readonly #node: ProcessorNode
  readonly #frame: TaskFrame
  readonly #instance: NodeProcessor

  constructor(node: ProcessorNode, frame: TaskFrame) {
    this.name = node.name
    this.#node = node
    this.#frame = frame
    this.#instance = node.supplier()
    this.#instance.init?.(this)
  }

  receive(record: StreamRecord): void {
    this.#instance.process(record, this)
  }

  fire(key: Buffer, timer: string, dueAt: number): void {
    if (this.#instance.timer === undefined)
      throw new BadRecord('no_timer_handler', `node "${this.name}" handles no timers`)
    this.#instance.timer(key, timer, dueAt, this)
  }

  close(): void {
    this.#instance.close?.()
  }

  get taskPartition(): number {
    return this.#frame.partition
  }

  get timestamp(): number {
    return this.#frame.timestamp
  }

  get rawKey(): Buffer | null {
    return this.#frame.rawKey
  }

  get streamTime(): number {
    return this.#frame.streamTime
  }

  now(): number {
    return this.#frame.now()
  }

  origin(): RecordOrigin | null {
    return this.#frame.origin()
  }

  store(name: string): KeyValueStore {
    this.#checkDeclared(name)
    return this.#frame.store(name)
  }

  windowStore(name: string): WindowStore {
    this.#checkDeclared(name)
    return this.#frame.windowStore(name)
  }

  #checkDeclared(name: string): void {
    if (!this.#node.stores.includes(name)) throw new Error(`node "${this.name}" does not declare store "${name}"`)
  }

  dropLate(): void {
    this.#frame.dropLate()
  }

  timer(key: Buffer, name: string, dueAt: number | null): void {
    const timers = this.#node.timers
    if (timers === null) throw new Error(`node "${this.name}" does not declare a timers store`)
    this.#frame.timers(timers.store).set(key, name, dueAt)
  }

  forward(record: StreamRecord, to?: string): void {
    for (const child of this.children) if (to === undefined || child.name === to) child.receive(record)
  }
}

class RunningSource implements RunningNode {
  readonly name: string
  readonly children: RunningNode[] = []

  constructor(name: string) {
    this.name = name
  }

  receive(record: StreamRecord): void {
    for (const child of this.children) child.receive(record)
  }
}

class RunningSink implements RunningNode {
  readonly name: string
  readonly children: RunningNode[] = []
  readonly #node: SinkNode
  readonly #topics: ReadonlyMap<string, string>
  readonly #collector: Collector

  constructor(node: SinkNode, topology: Topology, collector: Collector) {
    this.name = node.name
    this.#node = node
    this.#topics = new Map(node.topics.map((topic) => [topic, topicName(topology, topic)]))
    this.#collector = collector
  }

  receive(record: StreamRecord): void {
    const declared = this.#node.choose(record)
    const topic = this.#topics.get(declared)
    if (topic === undefined)
      throw new BadRecord(
        'undeclared_topic',
        `sink "${this.name}" was asked to write to "${declared}", which it does not declare`,
      )
    const key = record.key === null ? null : this.#node.key.serialize(record.key, null)
    const value = record.value === null ? null : this.#node.value.serialize(record.value, key)
    this.#collector.send(topic, record.timestamp, key, value, record.headers)
  }
}

/** Passes records on to the operator, and its answers on to the children. */
class RunningAsync implements RunningNode {
  readonly name: string
  readonly children: RunningNode[] = []
  readonly #frame: TaskFrame
  readonly #operator: AsyncOperator
  #accepted: RecordOrigin | null = null

  constructor(operator: AsyncOperator, frame: TaskFrame) {
    this.name = operator.node.name
    this.#operator = operator
    this.#frame = frame
  }

  receive(record: StreamRecord): void {
    const origin = this.#frame.origin()
    if (origin === null) throw new Error(`async operator "${this.name}" takes records, not timers`)
    if (
      this.#accepted?.offset === origin.offset &&
      this.#accepted.partition === origin.partition &&
      this.#accepted.topic === origin.topic
    )
      throw new Error(`async operator "${this.name}" takes one call per record: put a repartition before it`)
    this.#operator.accept(record, origin)
    this.#accepted = origin
  }
}

export interface RunningPart {
  readonly sources: ReadonlyMap<string, RunningNode>
  readonly processors: readonly RunningProcessor[]
  /** The node that handles a timer, by store and timer name. */
  timerHandler(store: string, timer: string): RunningProcessor | undefined
  /** Forwards what an async answer became. */
  readonly asyncOutput: (record: StreamRecord, to?: string) => void
}

/** Instances of a sub-topology's nodes, wired. */
export function runNodes(
  topology: Topology,
  part: SubTopology,
  frame: TaskFrame,
  collector: Collector,
  operator: AsyncOperator | null,
): RunningPart {
  const running = new Map<string, RunningNode>()
  const processors: RunningProcessor[] = []
  const handlers = new Map<string, RunningProcessor>()
  const make = (node: Node): RunningNode => {
    if (node.kind === 'source') return new RunningSource(node.name)
    if (node.kind === 'sink') return new RunningSink(node, topology, collector)
    if (node.kind === 'async') return new RunningAsync(operator as AsyncOperator, frame)
    const processor = new RunningProcessor(node, frame)
    processors.push(processor)
    for (const timer of node.timers?.handles ?? []) handlers.set(`${node.timers?.store}: ${timer}`, processor)
    return processor
  }
  for (const node of part.nodes) {
    const instance = make(node)
    running.set(node.name, instance)
    for (const parent of parentsOf(node)) running.get(parent)?.children.push(instance)
  }
  const asyncNode = operator === null ? undefined : running.get(operator.node.name)
  return {
    sources: new Map(
      part.sources.map((source) => [topicName(topology, source.topic), running.get(source.name) as RunningNode]),
    ),
    processors,
    timerHandler: (store, timer) => handlers.get(`${store}: ${timer}`),
    asyncOutput: (record, to) => {
      for (const child of asyncNode?.children ?? []) if (to === undefined || child.name === to) child.receive(record)
    },
  }
}
