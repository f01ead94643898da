/** Zigzag varints as Kafka's records use them: 32 bits for lengths and offset deltas, 64 bits for timestamp deltas. */

/** Bytes that `writeVarint` takes for an int32. */
export function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5
}

/** Writes an int32; returns the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

const fitsInt32 = (value: number): boolean => (value | 0) === value

export function sizeOfVarlong(value: number): number {
  if (fitsInt32(value)) return sizeOfVarint(value)
  let size = 1
  for (let rest = zigzag64(value); rest >= 0x80n; rest >>= 7n) size++
  return size
}

/** Writes a safe integer; returns the position behind it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (fitsInt32(value)) return writeVarint(bytes, at, value)
  let rest = zigzag64(value)
  while (rest >= 0x80n) {
    bytes[at++] = Number(rest & 0x7fn) | 0x80
    rest >>= 7n
  }
  bytes[at++] = Number(rest)
  return at
}

function zigzag64(value: number): bigint {
  const exact = BigInt(value)
  return exact >= 0n ? exact << 1n : -(exact << 1n) - 1n
}
