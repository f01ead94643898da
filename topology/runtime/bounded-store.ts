import type {
  Entry,
  KeyValueStore,
  RangeOptions,
  WindowDirection,
  WindowEntry,
  WindowOptions,
  WindowStore,
} from '../../state-stores/index.ts'
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
    checkSize(this.name, key, value)
    this.#store.put(key, value)
  }

  delete(key: Buffer): void {
    this.#store.delete(key)
  }

  range(options?: RangeOptions): IterableIterator<Entry> {
    return this.#store.range(options)
  }
}

/** The same of a window store. */
export class BoundedWindowStore implements WindowStore {
  readonly name: string
  readonly options: WindowOptions
  readonly #store: WindowStore

  constructor(store: WindowStore) {
    this.name = store.name
    this.options = store.options
    this.#store = store
  }

  get observedTime(): number {
    return this.#store.observedTime
  }

  /** @throws BadRecord state_too_large */
  put(key: Buffer, windowStart: number, value: Buffer | null): boolean {
    if (value !== null) checkSize(this.name, key, value)
    return this.#store.put(key, windowStart, value)
  }

  get(key: Buffer, windowStart: number): Buffer | undefined {
    return this.#store.get(key, windowStart)
  }

  fetch(key: Buffer, from: number, to: number, direction?: WindowDirection): IterableIterator<WindowEntry> {
    return this.#store.fetch(key, from, to, direction)
  }

  fetchKeys(
    first: Buffer | null,
    last: Buffer | null,
    from: number,
    to: number,
    direction?: WindowDirection,
  ): IterableIterator<WindowEntry> {
    return this.#store.fetchKeys(first, last, from, to, direction)
  }

  fetchAll(from: number, to: number, direction?: WindowDirection): IterableIterator<WindowEntry> {
    return this.#store.fetchAll(from, to, direction)
  }

  all(direction?: WindowDirection): IterableIterator<WindowEntry> {
    return this.#store.all(direction)
  }
}

function checkSize(store: string, key: Buffer, value: Buffer): void {
  const bytes = key.length + value.length
  if (bytes > recordMaxBytes)
    throw new BadRecord(
      'state_too_large',
      `a row of store "${store}" has ${bytes} bytes, the most is ${recordMaxBytes}`,
    )
}
