/**
 * How a row's bytes should be held: `node bench/state-rows.ts`. A get and a put of the same key for each record, keys of
 * 60 bytes that are views into one buffer, values of 120; CPU of the calling thread, best of five. Only the held strings
 * also give the caller bytes of its own; the Buffers are handed out as they are.
 */

const KEYS = 1_000
const KEY_BYTES = 60
const RECORDS = 500_000
const ROUNDS = 5
const VALUE = Buffer.alloc(120, 'v')

const fetched = Buffer.alloc(KEYS * KEY_BYTES, 'k')
const keys = Array.from({ length: KEYS }, (_, i) => {
  fetched.write(String(i).padStart(12, '0'), i * KEY_BYTES + KEY_BYTES - 12)
  return fetched.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)
})

interface Rows {
  get(key: Buffer): Buffer | undefined
  put(key: Buffer, value: Buffer): void
}

interface Cell<T> {
  readonly id: string
  value: T
}

/** What state-stores/buffer does: latin1 strings, the last cell remembered. */
function strings(): Rows {
  const cells = new Map<string, Cell<string>>()
  let last: Cell<string> | undefined
  const find = (id: string): Cell<string> | undefined => (last?.id === id ? last : (last = cells.get(id)))
  return {
    get(key) {
      const cell = find(key.toString('latin1'))
      return cell && Buffer.from(cell.value, 'latin1')
    },
    put(key, value) {
      const id = key.toString('latin1')
      const held = value.toString('latin1')
      const cell = find(id)
      if (cell) cell.value = held
      else cells.set(id, (last = { id, value: held }))
    },
  }
}

function buffers(allocate: (size: number) => Buffer): Rows {
  const cells = new Map<string, Cell<Buffer>>()
  let last: Cell<Buffer> | undefined
  const find = (id: string): Cell<Buffer> | undefined => (last?.id === id ? last : (last = cells.get(id)))
  return {
    get: (key) => find(key.toString('latin1'))?.value,
    put(key, value) {
      const id = key.toString('latin1')
      const held = allocate(value.length)
      held.set(value)
      const cell = find(id)
      if (cell) cell.value = held
      else cells.set(id, (last = { id, value: held }))
    },
  }
}

/** Open addressing over the key's bytes: no string for the key. */
function byteTable(): Rows {
  const mask = 4096 - 1
  const hashes = new Int32Array(mask + 1)
  const cells: (Cell<string> | undefined)[] = new Array<Cell<string> | undefined>(mask + 1).fill(undefined)
  const hashOf = (key: Buffer): number => {
    let hash = 0x9747b28c ^ key.length
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193)
    return (hash ^ (hash >>> 15)) | 1
  }
  const equal = (id: string, key: Buffer): boolean => {
    if (id.length !== key.length) return false
    for (let i = id.length - 1; i >= 0; i--) if (id.charCodeAt(i) !== key[i]) return false
    return true
  }
  const slotOf = (key: Buffer, hash: number): number => {
    let slot = hash & mask
    while (hashes[slot] !== 0 && !(hashes[slot] === hash && equal((cells[slot] as Cell<string>).id, key))) {
      slot = (slot + 1) & mask
    }
    return slot
  }
  return {
    get(key) {
      const cell = cells[slotOf(key, hashOf(key))]
      return cell && Buffer.from(cell.value, 'latin1')
    },
    put(key, value) {
      const hash = hashOf(key)
      const slot = slotOf(key, hash)
      const held = value.toString('latin1')
      const cell = cells[slot]
      if (cell) cell.value = held
      else {
        hashes[slot] = hash
        cells[slot] = { id: key.toString('latin1'), value: held }
      }
    },
  }
}

function measure(name: string, rows: Rows): void {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const cpu = process.threadCpuUsage()
    for (let i = 0; i < RECORDS; i++) {
      const key = keys[(i * 619) % KEYS] as Buffer
      rows.get(key)
      rows.put(key, VALUE)
    }
    const { user, system } = process.threadCpuUsage(cpu)
    best = Math.min(best, (user + system) / RECORDS)
  }
  console.log(`${name.padEnd(50)} CPU ${best.toFixed(2)} us per get and put`)
}

measure('latin1 strings in a Map', strings())
measure('pooled Buffers in a Map, shared with the caller', buffers(Buffer.allocUnsafe))
measure('unpooled Buffers in a Map, shared with the caller', buffers(Buffer.allocUnsafeSlow))
measure('latin1 strings in a table over key bytes', byteTable())
