/**
 * A document on paper: pages, a place on them, and text set into lines. What is drawn follows from what is asked alone;
 * dates and ids of the file come from the options, so that equal calls make equal bytes.
 *
 * Places are in points from the page's upper left corner; a line's place is its baseline.
 */

import PDFDocument from 'pdfkit'
import type { Face, Weight } from './fonts.ts'
import { bytesOf, fontRuns } from './fonts.ts'
import type { Line, Span } from './lines.ts'
import { breakLines } from './lines.ts'
import { hasCharacter, widthOf } from './ruler.ts'

export const ink = {
  text: '#1b2333',
  soft: '#5a6478',
  line: '#d5dae3',
  fill: '#f4f6fa',
  accent: '#1d4ed8',
  white: '#ffffff',
} as const
export type Ink = (typeof ink)[keyof typeof ink]

export interface Style {
  readonly size: number
  /** From baseline to baseline. */
  readonly leading: number
  readonly weight?: Weight
  readonly color?: Ink
  readonly align?: 'left' | 'right' | 'center'
  /** Digits all as wide as each other. */
  readonly tabular?: boolean
  /** Between letters. */
  readonly tracking?: number
}

export interface PaperOptions {
  readonly title: string
  readonly author: string
  readonly subject: string
  readonly keywords: string
  /** ms since 1970; the file says it was made then. */
  readonly at: number
}

export const page = { width: 595.28, height: 841.89, left: 62, right: 62, top: 74, bottom: 66 } as const
export const measure = page.width - page.left - page.right

export class Paper {
  /** Where the next thing goes. */
  y: number = page.top
  readonly missing = new Set<string>()
  readonly #doc: PDFKit.PDFDocument
  readonly #known = new Set<Face>()
  readonly #done: Promise<Buffer>

  constructor({ title, author, subject, keywords, at }: PaperOptions) {
    const date = new Date(at)
    const info = {
      Title: title,
      Author: author,
      Subject: subject,
      Keywords: keywords,
      CreationDate: date,
      ModDate: date,
    }
    this.#doc = new PDFDocument({
      ...{ size: [page.width, page.height], margin: 0, bufferPages: true, pdfVersion: '1.7', lang: 'en-GB' },
      ...{ displayTitle: true, info: { ...info, Creator: 'Lifecycle', Producer: 'Lifecycle' } },
    })
    const chunks: Buffer[] = []
    this.#done = new Promise((resolve, reject) => {
      this.#doc.on('data', (chunk: Buffer) => void chunks.push(chunk))
      this.#doc.on('end', () => resolve(Buffer.concat(chunks)))
      this.#doc.on('error', reject)
    })
  }

  get bottom(): number {
    return page.height - page.bottom
  }

  newPage(): void {
    this.#doc.addPage()
    this.y = page.top
  }

  /** Begins a page when less than this is left. @returns whether it did */
  ensure(height: number): boolean {
    if (this.y + height <= this.bottom) return false
    this.newPage()
    return true
  }

  lines(spans: readonly Span[], style: Style, width: number): readonly Line[] {
    return breakLines(spans, width, (text, bold) => this.#width(text, style, bold))
  }

  /** One line, nothing broken. @returns how wide it is */
  line(line: Line, x: number, baseline: number, width: number, style: Style): number {
    const total = line.pieces.reduce((sum, { text, bold }) => sum + this.#width(text, style, bold), 0)
    const slack = style.align === 'right' ? width - total : style.align === 'center' ? (width - total) / 2 : 0
    let at = x + slack
    for (const { text, bold } of line.pieces) {
      for (const run of this.#runs(text, style, bold)) {
        this.#use(run.face)
          .fontSize(style.size)
          .fillColor(style.color ?? ink.text)
        this.#doc.text(run.text, at, baseline, { lineBreak: false, baseline: 'alphabetic', ...featuresOf(style) })
        at += this.#runWidth(run.face, run.text, style)
      }
    }
    return total
  }

  /** Text on one line at a place. @returns how wide it is */
  label(text: string, x: number, baseline: number, style: Style, width = 0): number {
    return this.line({ pieces: [{ text, bold: false }] }, x, baseline, width, style)
  }

  /** A block of text from `y` down, over as many pages as it takes. */
  block(spans: readonly Span[], style: Style, x: number = page.left, width: number = measure): void {
    const lines = this.lines(spans, style, width)
    lines.forEach((line, index) => {
      // No first or last line of a paragraph alone on a page.
      const together = index === 0 || index === lines.length - 2 ? Math.min(2, lines.length - index) : 1
      this.ensure(together * style.leading)
      this.line(line, x, this.y + style.size, width, style)
      this.y += style.leading
    })
  }

  rule(x: number, y: number, width: number, color: Ink = ink.line, thickness = 0.6): void {
    this.#doc
      .moveTo(x, y)
      .lineTo(x + width, y)
      .lineWidth(thickness)
      .strokeColor(color)
      .stroke()
  }

  fill(x: number, y: number, width: number, height: number, color: Ink, radius = 0): void {
    this.#doc.roundedRect(x, y, width, height, radius).fillColor(color).fill()
  }

  /** Draws on every page when all else is drawn. @param draw is told the page, from 1, and how many there are */
  onEveryPage(draw: (number: number, of: number) => void): void {
    const { count } = this.#doc.bufferedPageRange()
    for (let number = 1; number <= count; number++) {
      this.#doc.switchToPage(number - 1)
      draw(number, count)
    }
  }

  async end(): Promise<Buffer> {
    this.#doc.end()
    return this.#done
  }

  #runs(text: string, style: Style, bold: boolean) {
    return fontRuns(
      text,
      bold ? 'bold' : (style.weight ?? 'regular'),
      hasCharacter,
      (character) => void this.missing.add(character),
    )
  }

  #width(text: string, style: Style, bold: boolean): number {
    return this.#runs(text, style, bold).reduce((sum, run) => sum + this.#runWidth(run.face, run.text, style), 0)
  }

  #runWidth(face: Face, text: string, { size, tabular, tracking = 0 }: Style): number {
    return widthOf(face, text, { size, features: tabular === true ? ['tnum'] : [], tracking })
  }

  /** A face is opened when something is first drawn in it: most documents need two. */
  #use(face: Face): PDFKit.PDFDocument {
    if (!this.#known.has(face)) this.#doc.registerFont(face, bytesOf(face))
    this.#known.add(face)
    return this.#doc.font(face)
  }
}

const featuresOf = ({ tabular, tracking }: Style) => ({
  ...(tabular === true ? { features: ['tnum'] as PDFKit.Mixins.OpenTypeFeatures[] } : {}),
  ...(tracking === undefined ? {} : { characterSpacing: tracking }),
})
