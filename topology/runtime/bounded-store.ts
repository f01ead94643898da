import type { Entry, KeyValueStore, RangeOptions } from '../../state-stores/index.ts'
import { BadRecord } from '../errors.ts'
import { recordMaxBytes } from './collector.ts'

/**
 * A logged store as steps see it: a row that its changelog could not hold is refused when it is put, so that it is one
 * dead letter and not a commit that can never succeed (collector K1).
 */
export class BoundedStore implements KeyValueStore {
  readonly name: string
  readonly #store: KeyValueStore

  constructor(store: KeyValueStore) {
    this.name = store.name
    this.#store = store
  }

  get(key: Buffer): Buffer | undefined {
    return this.#store.get(key)
  }

  /** @throws BadRecord state_too_large */
  put(key: Buffer, value: Buffer): void {
    const bytes = key.length + value.length
    if (bytes > recordMaxBytes)
      throw new BadRecord(
        'state_too_large',
        `a row of store "${this.name}" has ${bytes} bytes, the most is ${recordMaxBytes}`,
      )
    this.#store.put(key, value)
  }

  delete(key: Buffer): void {
    this.#store.delete(key)
  }

  range(options?: RangeOptions): IterableIterator<Entry> {
    return this.#store.range(options)
  }
}
