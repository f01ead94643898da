/** Keyed state of tasks on local disk. DESIGN.md says how the layers work. */

export * from './contract.ts'
export { StateBudget, TaskState } from './buffer/index.ts'
export type { ChangelogOrigin, StateBudgetOptions, TaskStateOptions, TaskStore } from './buffer/index.ts'
export { lockDirectory } from './directory-lock.ts'
export type { DirectoryLock } from './directory-lock.ts'
export { memoryDatabases } from './memory/index.ts'
export { rocksDatabases } from './rocksdb/index.ts'
export type { RocksDatabasesOptions } from './rocksdb/index.ts'
export { WindowRows } from './window/index.ts'
export type { WindowDirection, WindowEntry, WindowOptions, WindowStore } from './window/index.ts'
