/** Text broken into lines: at blanks, after hyphens, and between characters of scripts that write without blanks. */

export type Span = string | { readonly text: string; readonly bold: true }

export const bold = (text: string): Span => ({ text, bold: true })

export interface Piece {
  readonly text: string
  readonly bold: boolean
}

export interface Line {
  readonly pieces: readonly Piece[]
}

/** What is never torn apart: blanks, one ideograph or kana with what must not begin a line, or a word. */
const atom =
  /\n|[ \t]+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー][、。，．・：；！？）」』】〕ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ]*|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー-]*-+|[^\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー-]+/gu

/**
 * @param width of a line
 * @param widthOf a text, in bold or not
 * @returns at least one line; a word wider than a line is cut
 */
export function breakLines(
  spans: readonly Span[],
  width: number,
  widthOf: (text: string, bold: boolean) => number,
): readonly Line[] {
  const lines: Line[] = []
  let pieces: Piece[] = []
  let used = 0
  const endLine = (): void => {
    lines.push({ pieces: withoutLastBlank(pieces) })
    pieces = []
    used = 0
  }
  const add = (text: string, isBold: boolean, wide: number): void => {
    const last = pieces.at(-1)
    if (last?.bold === isBold) pieces[pieces.length - 1] = { text: last.text + text, bold: isBold }
    else pieces.push({ text, bold: isBold })
    used += wide
  }
  for (const span of spans) {
    const { text, bold: isBold } = typeof span === 'string' ? { text: span, bold: false } : span
    for (const [found] of text.matchAll(atom)) {
      if (found === '\n') {
        endLine()
        continue
      }
      const isBlank = /^[ \t]/.test(found)
      if (isBlank && pieces.length === 0) continue
      const shown = isBlank ? ' ' : found
      const wide = widthOf(shown, isBold)
      if (!isBlank && used + wide > width && pieces.length > 0) endLine()
      if (wide <= width || isBlank) add(shown, isBold, wide)
      else
        for (const part of cut(shown, width, (piece) => widthOf(piece, isBold))) {
          if (pieces.length > 0) endLine()
          add(part, isBold, widthOf(part, isBold))
        }
    }
  }
  endLine()
  return lines
}

function withoutLastBlank(pieces: readonly Piece[]): readonly Piece[] {
  const last = pieces.at(-1)
  if (last === undefined) return pieces
  const trimmed = last.text.trimEnd()
  return trimmed === '' ? pieces.slice(0, -1) : [...pieces.slice(0, -1), { ...last, text: trimmed }]
}

/** Parts of a word, each as wide as fits, at least one character. */
function cut(word: string, width: number, widthOf: (text: string) => number): string[] {
  const parts: string[] = []
  let part = ''
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(word)) {
    if (part !== '' && widthOf(part + segment) > width) {
      parts.push(part)
      part = ''
    }
    part += segment
  }
  return [...parts, part]
}
