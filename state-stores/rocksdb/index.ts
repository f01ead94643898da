export { rocksDatabases } from './rocks-databases.ts'
export type { RocksDatabasesOptions } from './rocks-databases.ts'
