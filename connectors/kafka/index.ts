/** The log: its port, the record batch codec, Java's partitioner, the client, the driver for a Kafka cluster, and the embedded broker. */

export * from './port.ts'
export type * from './broker.ts'
export { noCrash } from './crash-point.ts'
export type { CrashPoint } from './crash-point.ts'
export { RecordBatchBuilder } from './record-batch.ts'
export type { BatchStamp } from './record-batch.ts'
export { RecordCursor } from './record-cursor.ts'
export { murmur2, partitionFor } from './partitioner.ts'
export { createMissing } from './create-missing.ts'
export { appendPlaced, recordOverheadBytes } from './placed-records.ts'
export type { PlacedRecord } from './placed-records.ts'
export { lastPositions, parsePosition, positionText } from './position.ts'
export type { Position } from './position.ts'
export { endOffset } from './end-offset.ts'
export { openKafkaLog } from './open-kafka.ts'
export type { KafkaLogOptions } from './open-kafka.ts'
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
