/** The engine's door: what a stream program is, and what runs it. */

export type { Clock, Random } from './clock.ts'
export { BadRecord, EngineError } from './errors.ts'
export type { EngineErrorCode } from './errors.ts'
export { TopologyBuilder } from './graph/builder.ts'
export type { StoreOptions } from './graph/builder.ts'
export { describe } from './graph/describe.ts'
export type { AsyncOperation, CallLimit, LoadContext, NodeContext, NodeProcessor } from './graph/nodes.ts'
export { noHeaders } from './graph/record.ts'
export type { RecordOrigin, StreamRecord } from './graph/record.ts'
export { bytesSerde, stringSerde } from './graph/serde.ts'
export type { Serde } from './graph/serde.ts'
export {
  changelogTopic,
  deadLetterTopic,
  parentsOf,
  repartitionTopic,
  storesOf,
  topicName,
  topicNames,
} from './graph/topology.ts'
export type { SubTopology, Topology } from './graph/topology.ts'
export { ApplicationWorker } from './runtime/application-worker.ts'
export type { ApplicationState, ApplicationStatus } from './runtime/application-status.ts'
export type { ApplicationWorkerOptions } from './runtime/application-worker.ts'
export type { BlockedKey } from './runtime/set-aside.ts'
export { defaultRuntimeSettings } from './runtime/settings.ts'
export type { RuntimeSettings } from './runtime/settings.ts'
export { Worker } from './runtime/worker.ts'
export type { WorkerOptions } from './runtime/worker.ts'
export type { Header } from '../connectors/kafka/index.ts'
export type { KeyValueStore, WindowEntry, WindowStore } from '../state-stores/index.ts'
export type { Reason } from './runtime/dead-letters.ts'
export { DeadLetterRate, deadLetterHeaders } from './runtime/dead-letters.ts'
