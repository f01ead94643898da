/** A table that goes on over pages: rows are never torn, its head is there again on each page. */

import type { Line, Span } from './lines.ts'
import type { Paper, Style } from './paper.ts'
import { ink, measure, page } from './paper.ts'

export interface Column {
  readonly head: string
  /** Part of the table's width; the parts of all columns come to 1. */
  readonly share: number
  readonly align?: 'left' | 'right'
}

export interface Cell {
  readonly spans: readonly Span[]
  /** Below it, smaller. */
  readonly detail?: readonly string[]
}

const head: Style = { size: 7.5, leading: 10, weight: 'bold', color: ink.soft }
const body: Style = { size: 9, leading: 13 }
const small: Style = { size: 7.8, leading: 11, color: ink.soft }
const gap = 10
const padding = 6

interface SetCell {
  readonly main: readonly Line[]
  readonly detail: readonly Line[]
}

export function table(paper: Paper, columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
  const widths = columns.map(({ share }) => share * measure - gap)
  const place = (index: number): number =>
    page.left + columns.slice(0, index).reduce((sum, { share }) => sum + share * measure, 0)
  const styleOf = (style: Style, index: number): Style => {
    const align = columns[index]?.align ?? 'left'
    return { ...style, align, tabular: align === 'right' }
  }
  const xOf = (index: number): number => place(index) + (columns[index]?.align === 'right' ? gap : 0)

  const drawHead = (): void => {
    paper.fill(page.left - padding, paper.y, measure + 2 * padding, 20, ink.fill, 3)
    columns.forEach((column, index) =>
      paper.label(column.head, xOf(index), paper.y + 13, styleOf(head, index), widths[index]),
    )
    paper.y += 20
  }

  const drawRow = (cells: readonly SetCell[], height: number): void => {
    cells.forEach((cell, index) => {
      let baseline = paper.y + padding + body.size
      for (const line of cell.main) {
        paper.line(line, xOf(index), baseline, widths[index] ?? 0, styleOf(body, index))
        baseline += body.leading
      }
      for (const line of cell.detail) {
        paper.line(line, xOf(index), baseline - 1, widths[index] ?? 0, styleOf(small, index))
        baseline += small.leading
      }
    })
    paper.y += height
    paper.rule(page.left - padding, paper.y, measure + 2 * padding)
  }

  rows.forEach((row, number) => {
    const cells = row.map(({ spans, detail = [] }, index): SetCell => ({
      main: paper.lines(spans, styleOf(body, index), widths[index] ?? 0),
      detail: detail.flatMap((text) => paper.lines([text], styleOf(small, index), widths[index] ?? 0)),
    }))
    const height =
      2 * padding +
      Math.max(...cells.map((cell) => cell.main.length * body.leading + cell.detail.length * small.leading)) -
      2
    const isTurned = paper.ensure(height + (number === 0 ? 20 : 0))
    if (number === 0 || isTurned) drawHead()
    drawRow(cells, height)
  })
}
