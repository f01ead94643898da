/** Where large payloads stand: an object store that keeps every version. Field names are those of the events' `ref`. */

/** What events carry instead of the bytes. */
export interface ObjectRef {
  readonly bucket: string
  readonly key: string
  readonly version_id: string
  /** Of the bytes, in hex. */
  readonly sha256: string
  readonly bytes: number
}

export interface StoredObject extends ObjectRef {
  /** Names the content for `ifMatch`, as the store spells it. */
  readonly etag: string
  readonly content_type: string
}

export interface ReadObject extends StoredObject {
  readonly content: Buffer
}

export interface ObjectVersion {
  readonly version_id: string
  readonly is_latest: boolean
  /** A delete marker: nothing stands under the key while it is the latest. */
  readonly deleted: boolean
}

export interface PutOptions {
  readonly contentType: string
  /** Only when nothing stands under the key; a delete marker counts as nothing. */
  readonly ifNoneMatch?: '*'
  /** Only while the latest version has this etag. */
  readonly ifMatch?: string
  readonly signal?: AbortSignal | undefined
}

export interface StorageCall {
  readonly signal?: AbortSignal | undefined
}

export interface ObjectStore {
  readonly bucket: string
  /** disk: files of our own · s3: a bucket behind S3's API. */
  readonly kind: 'disk' | 's3'
  /**
   * Makes the bucket and switches versions on where that is missing and allowed. The other calls do it by themselves;
   * this is for saying at the start what is wrong. @throws StorageError
   */
  ready(): Promise<void>
  /** Resolves when the bytes are durable. @throws StorageError; `reason` precondition when a condition does not hold */
  put(key: string, content: Uint8Array, options: PutOptions): Promise<StoredObject>
  /** Null when there is no such version, or the latest is a delete marker. @throws StorageError, `damaged` when the bytes do not have their sha256 */
  get(key: string, versionId?: string, call?: StorageCall): Promise<ReadObject | null>
  head(key: string, versionId?: string, call?: StorageCall): Promise<StoredObject | null>
  /** Of this very key, newest first. */
  versions(key: string, call?: StorageCall): Promise<readonly ObjectVersion[]>
  /** Puts a delete marker on top; the versions below stay. Null when nothing stood there. */
  remove(key: string, call?: StorageCall): Promise<{ readonly version_id: string } | null>
  close(): void
}
