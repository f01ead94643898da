import type { Entry, KeyValueStore, RangeOptions, WindowStore } from '../../state-stores/index.ts'
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
    checkSize(this.name, key.length + value.length)
    this.#store.put(key, value)
  }

  delete(key: Buffer): void {
    this.#store.delete(key)
  }

  range(options?: RangeOptions): IterableIterator<Entry> {
    return this.#store.range(options)
  }
}

/** The same for a window store. */
export function boundedWindowStore(store: WindowStore): WindowStore {
  return {
    name: store.name,
    options: store.options,
    get observedTime() {
      return store.observedTime
    },
    put(key, windowStart, value) {
      checkSize(store.name, key.length + (value?.length ?? 0))
      return store.put(key, windowStart, value)
    },
    get: (key, windowStart) => store.get(key, windowStart),
    fetch: (key, from, to, direction) => store.fetch(key, from, to, direction),
    fetchKeys: (first, last, from, to, direction) => store.fetchKeys(first, last, from, to, direction),
    fetchAll: (from, to, direction) => store.fetchAll(from, to, direction),
    all: (direction) => store.all(direction),
  }
}

function checkSize(store: string, bytes: number): void {
  if (bytes <= recordMaxBytes) return
  throw new BadRecord('state_too_large', `a row of store "${store}" has ${bytes} bytes, the most is ${recordMaxBytes}`)
}
