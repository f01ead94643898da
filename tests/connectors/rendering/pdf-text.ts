/** What a reader finds in a PDF: its text page by page, line by line, and what the file says of itself. */

import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs'

export interface ReadPdf {
  readonly pages: readonly string[]
  readonly info: Readonly<Record<string, unknown>>
  /** Texts that are drawn in white, page and place included. */
  readonly places: readonly { readonly page: number; readonly text: string; readonly x: number; readonly y: number }[]
}

interface Item {
  readonly str: string
  readonly transform: readonly number[]
}

export async function readPdf(pdf: Uint8Array): Promise<ReadPdf> {
  const task = getDocument({ data: new Uint8Array(pdf), verbosity: 0 })
  const document = await task.promise
  const pages: string[] = []
  const places: ReadPdf['places'][number][] = []
  for (let page = 1; page <= document.numPages; page++) {
    const { items } = await (await document.getPage(page)).getTextContent()
    const texts = (items as readonly Item[]).filter(({ str }) => str !== '' && str.trim() !== '')
    for (const { str, transform } of texts) places.push({ page, text: str, x: transform[4] ?? 0, y: transform[5] ?? 0 })
    pages.push(linesOf(texts).join('\n'))
  }
  const { info } = (await document.getMetadata()) as { info: Record<string, unknown> }
  await task.destroy()
  return { pages, info, places }
}

/** Top to bottom, left to right, as it stands on the paper. */
function linesOf(items: readonly Item[]): readonly string[] {
  const rows = new Map<number, { x: number; text: string }[]>()
  for (const { str, transform } of items) {
    const row = Math.round(transform[5] ?? 0)
    const near = [row, row - 1, row + 1].find((key) => rows.has(key)) ?? row
    rows.set(near, [...(rows.get(near) ?? []), { x: transform[4] ?? 0, text: str }])
  }
  return [...rows]
    .sort(([a], [b]) => b - a)
    .map(([, row]) =>
      row
        .sort((a, b) => a.x - b.x)
        .map(({ text }) => text.trim())
        .join(' '),
    )
}
