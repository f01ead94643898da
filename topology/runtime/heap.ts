/** A binary min-heap. */
export class Heap<T> {
  readonly #compare: (a: T, b: T) => number
  readonly #items: T[] = []

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  /** In no order. */
  get items(): readonly T[] {
    return this.#items
  }

  get size(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    const items = this.#items
    let index = items.length
    items.push(item)
    while (index > 0) {
      const up = (index - 1) >> 1
      const parent = items[up] as T
      if (this.#compare(item, parent) >= 0) break
      items[index] = parent
      index = up
    }
    items[index] = item
  }

  /** Takes out what `isOut` says, wherever it is. Walks everything. */
  remove(isOut: (item: T) => boolean): void {
    const kept = this.#items.filter((item) => !isOut(item))
    this.#items.length = 0
    for (const item of kept) this.push(item)
  }

  pop(): T | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (items.length === 0 || last === undefined) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#compare(items[child + 1] as T, items[child] as T) < 0) child++
      if (this.#compare(items[child] as T, last) >= 0) break
      items[index] = items[child] as T
      index = child
    }
    items[index] = last
    return top
  }
}
