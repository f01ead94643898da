/**
 * Measures text, for all documents of the process: which characters a face has, and how wide words are. It has a PDF of its
 * own that is never written, so that a document opens its faces when it draws, in the order in which it draws: what was
 * measured before, for whatever document, cannot change a byte.
 */

import PDFDocument from 'pdfkit'
import type { Face } from './fonts.ts'
import { bytesOf } from './fonts.ts'

export interface Measuring {
  readonly size: number
  readonly features: readonly string[]
  /** Between letters, in points. */
  readonly tracking: number
}

/** The typeface in use, as the library keeps it. */
interface FontHolder {
  readonly _font: { readonly font: { readonly characterSet: readonly number[] } }
}

let scratch: PDFKit.PDFDocument | null = null
const opened = new Set<Face>()
const coverage = new Map<Face, ReadonlySet<number>>()

function withFace(face: Face): PDFKit.PDFDocument {
  scratch ??= new PDFDocument()
  if (!opened.has(face)) scratch.registerFont(face, bytesOf(face))
  opened.add(face)
  return scratch.font(face)
}

export function hasCharacter(face: Face, codePoint: number): boolean {
  const known = coverage.get(face)
  if (known !== undefined) return known.has(codePoint)
  const { font } = (withFace(face) as unknown as FontHolder)._font
  coverage.set(face, new Set(font.characterSet))
  return hasCharacter(face, codePoint)
}

/** Shaping a text is most of the work, and words come again. */
const unitWidths = new Map<string, number>()
const widthsRemembered = 50_000
const longestRemembered = 40

/** In points. */
export function widthOf(face: Face, text: string, { size, features, tracking }: Measuring): number {
  if (tracking !== 0 || text.length > longestRemembered) return measured(face, text, size, features, tracking)
  const key = `${face} ${features.join()} ${text}`
  let unit = unitWidths.get(key)
  if (unit === undefined) {
    if (unitWidths.size >= widthsRemembered) unitWidths.clear()
    unit = measured(face, text, 1, features, 0)
    unitWidths.set(key, unit)
  }
  return unit * size
}

function measured(face: Face, text: string, size: number, features: readonly string[], tracking: number): number {
  return withFace(face)
    .fontSize(size)
    .widthOfString(text, {
      ...(features.length === 0 ? {} : { features: [...features] as PDFKit.Mixins.OpenTypeFeatures[] }),
      ...(tracking === 0 ? {} : { characterSpacing: tracking }),
    })
}
