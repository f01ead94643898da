/** Several byte strings as one: each with its length in 4 bytes before it. */

export function packParts(parts: readonly Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

/** @throws RangeError when the bytes were not packed so */
export function unpackParts(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new RangeError('packed parts end inside a part')
    parts.push(bytes.subarray(at + 4, end))
    at = end
  }
  return parts
}
