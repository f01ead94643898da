/** The log: its port, the record batch codec, Java's partitioner, and the embedded implementation. */

export * from './port.ts'
export type * from './broker.ts'
export { noCrash } from './crash-point.ts'
export type { CrashPoint } from './crash-point.ts'
export { RecordBatchBuilder } from './record-batch.ts'
export type { BatchStamp } from './record-batch.ts'
export { RecordCursor } from './record-cursor.ts'
export { murmur2, partitionFor } from './partitioner.ts'
export { endOffset } from './end-offset.ts'
export { memoryFiles, nodeFiles, openEmbeddedLog, openMemoryLog } from './embedded/index.ts'
export type { EmbeddedLogOptions, FsyncPolicy, LogFile, LogFiles, MemoryLogOptions } from './embedded/index.ts'
