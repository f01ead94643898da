/**
 * The typefaces that documents are set in, and which of them has a character: Inter for Latin, Greek and Cyrillic, then
 * BIZ UDPGothic for Japanese (and most traditional Chinese), then Gowun Dodum for Korean. All under the SIL Open Font
 * License, embedded as subsets. What none of them has is set as a box, and reported: never dropped in silence.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

export type Weight = 'regular' | 'bold'

const files = {
  'inter-regular': '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf',
  'inter-bold': '@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf',
  'biz-regular': '@expo-google-fonts/biz-udpgothic/400Regular/BIZUDPGothic_400Regular.ttf',
  'biz-bold': '@expo-google-fonts/biz-udpgothic/700Bold/BIZUDPGothic_700Bold.ttf',
  gowun: '@expo-google-fonts/gowun-dodum/400Regular/GowunDodum_400Regular.ttf',
} as const

export type Face = keyof typeof files

const chains: Readonly<Record<Weight, readonly Face[]>> = {
  regular: ['inter-regular', 'biz-regular', 'gowun'],
  bold: ['inter-bold', 'biz-bold', 'gowun'],
}

/** What stands for a character that no face has: U+25A1. */
export const box = '□'

const require = createRequire(import.meta.url)
const loaded = new Map<Face, Buffer>()

export function bytesOf(face: Face): Buffer {
  const known = loaded.get(face)
  if (known !== undefined) return known
  const bytes = readFileSync(require.resolve(files[face]))
  loaded.set(face, bytes)
  return bytes
}

export interface FontRun {
  readonly face: Face
  readonly text: string
}

/** Marks that join the character before them, and what is never drawn: they stay with the face before. */
const joins = /^[\p{M}\u200c\u200d\ufe0e\ufe0f]$/u
const invisible = /^[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0e\ufe0f]$/u

/**
 * The text cut where the face changes.
 * @param has whether a face has a code point
 * @param missing is told each character that no face has
 */
export function fontRuns(
  text: string,
  weight: Weight,
  has: (face: Face, codePoint: number) => boolean,
  missing: (character: string) => void,
): readonly FontRun[] {
  const runs: { face: Face; text: string }[] = []
  for (const character of text) {
    if (invisible.test(character)) continue
    const last = runs.at(-1)
    const codePoint = character.codePointAt(0) ?? 0
    if (last !== undefined && joins.test(character) && has(last.face, codePoint)) {
      last.text += character
      continue
    }
    const found = chains[weight].find((face) => has(face, codePoint))
    if (found === undefined) missing(character)
    const face = found ?? chains[weight][0]!
    const drawn = found === undefined ? box : character
    if (last?.face === face) last.text += drawn
    else runs.push({ face, text: drawn })
  }
  return runs
}
