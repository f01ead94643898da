/** Bytes to values and back, on the synchronous path. */
export interface Serde<T> {
  serialize(value: T, key: Buffer | null): Buffer
  /** @throws BadRecord when the bytes are not a value of this serde: the record goes to the dead-letter topic. */
  deserialize(bytes: Buffer, key: Buffer | null): T
  /** Loads what the synchronous pass will need (schemas, tenant keys) for the records of a fetched batch. */
  prepare?(records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]): Promise<void>
}

/** Bytes as they are. */
export const bytesSerde: Serde<Buffer> = {
  serialize: (value) => value,
  deserialize: (bytes) => Buffer.from(bytes),
}

/** UTF-8 text. */
export const stringSerde: Serde<string> = {
  serialize: (value) => Buffer.from(value, 'utf8'),
  deserialize: (bytes) => bytes.toString('utf8'),
}
