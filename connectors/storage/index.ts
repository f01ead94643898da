/** Objects with versions: the port, the disk store and the S3 store. */
export type {
  ObjectRef,
  ObjectStore,
  ObjectVersion,
  PutOptions,
  ReadObject,
  StorageCall,
  StoredObject,
} from './port.ts'
export { StorageError } from './storage-error.ts'
export type { StorageReason } from './storage-error.ts'
export { diskStore } from './disk-store.ts'
export type { DiskStoreOptions } from './disk-store.ts'
export { s3Store } from './s3-store.ts'
export type { S3StoreOptions } from './s3-store.ts'
export { putOnce, sha256Of } from './put-once.ts'
