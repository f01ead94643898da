export { memoryDatabases } from './memory-databases.ts'
