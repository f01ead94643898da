/** The log: its port, the record batch codec, Java's partitioner, the client, and the embedded broker. */

export * from './port.ts'
export type * from './broker.ts'
export { noCrash } from './crash-point.ts'
export type { CrashPoint } from './crash-point.ts'
export { RecordBatchBuilder } from './record-batch.ts'
export type { BatchStamp } from './record-batch.ts'
export { RecordCursor } from './record-cursor.ts'
export { murmur2, partitionFor } from './partitioner.ts'
export { endOffset } from './end-offset.ts'
export { LogClient } from './client/index.ts'
export type { LogClientOptions } from './client/index.ts'
export {
  memoryFiles,
  nodeFiles,
  openEmbeddedBroker,
  openEmbeddedLog,
  openMemoryBroker,
  openMemoryLog,
} from './embedded/index.ts'
export type {
  EmbeddedBroker,
  EmbeddedLogOptions,
  FsyncPolicy,
  LogFile,
  LogFiles,
  MemoryLogOptions,
} from './embedded/index.ts'
