/** The embedded log: Kafka's semantics in one process, over files or memory. */

export { memoryFiles } from './memory-files.ts'
export { nodeFiles } from './node-files.ts'
export { openEmbeddedBroker, openEmbeddedLog, openMemoryBroker, openMemoryLog } from './open.ts'
export type { EmbeddedBroker } from './embedded-broker.ts'
export type { LogFile, LogFiles } from './log-files.ts'
export type { EmbeddedLogOptions, FsyncPolicy, MemoryLogOptions } from './options.ts'
