/** Vectors for practice: texts that share words lie close together, and the same text always lies at the same place. */

import { createHash } from 'node:crypto'
import { words } from './conversation.ts'

/** Of length 1. */
export function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  const meant = words(text)
  for (const word of meant.size === 0 ? [text] : meant) {
    const hash = createHash('sha256').update(word).digest()
    for (let at = 0; at < 32; at += 8) {
      const place = hash.readUInt32LE(at) % dimensions
      vector[place] = (vector[place] ?? 0) + (hash.readUInt32LE(at + 4) / 0xffff_ffff - 0.5)
    }
  }
  const length = Math.hypot(...vector)
  return length === 0 ? vector.fill(1 / Math.sqrt(dimensions)) : vector.map((value) => value / length)
}

/** As OpenAI sends it: 32-bit floats, little end first. */
export function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, n) => bytes.writeFloatLE(value, n * 4))
  return bytes.toString('base64')
}
