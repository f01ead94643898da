/** A form for what a person may correct: a field per value, and of what was changed only what was changed. */

import { h } from './dom.ts'
import { title } from './format.ts'
import type { Finding } from './review-item.ts'

export interface Edits {
  readonly element: HTMLElement
  /** What differs from what was proposed; null when nothing does. @throws Error with one sentence */
  read(): Readonly<Record<string, unknown>> | null
}

type Json = Readonly<Record<string, unknown>>
const isRecord = (of: unknown): of is Json => typeof of === 'object' && of !== null && !Array.isArray(of)

/** Findings by type: corrected data is laid over what was found; competitors are one list, whole. */
export function findingEdits(findings: readonly Finding[]): Edits {
  const competitors = findings.filter(({ finding_type }) => finding_type === 'competitor')
  const others = findings.filter(({ finding_type, data }) => finding_type !== 'competitor' && isRecord(data))
  const parts = others.map(({ finding_type, data }) => ({
    finding_type,
    fields: recordFields(finding_type, data as Json),
  }))
  const list = competitors.length > 0 ? competitorList(competitors) : null
  return {
    element: h(
      'div',
      { class: 'edits' },
      ...parts.map(({ finding_type, fields }) =>
        h('fieldset', {}, h('legend', {}, title(finding_type)), fields.element),
      ),
      list?.element,
    ),
    read() {
      const edits: Record<string, unknown> = {}
      for (const { finding_type, fields } of parts) {
        const changed = fields.read()
        if (changed !== null) edits[finding_type] = changed
      }
      const named = list?.read() ?? null
      if (named !== null) edits['competitor'] = named
      return Object.keys(edits).length === 0 ? null : edits
    },
  }
}

/** Anything else: the correction as JSON. */
export function freeEdits(): Edits {
  const text = h('textarea', {
    id: 'edits',
    rows: 6,
    spellcheck: 'false',
    placeholder: '{ "field": "corrected value" }',
  })
  return {
    element: h('div', { class: 'field' }, h('label', { for: 'edits' }, 'Corrections, as JSON'), text),
    read() {
      if (text.value.trim() === '') return null
      let parsed: unknown
      try {
        parsed = JSON.parse(text.value)
      } catch {
        throw new Error('The corrections are not JSON.')
      }
      if (!isRecord(parsed)) throw new Error('The corrections must be a JSON object.')
      return parsed
    },
  }
}

/** A field per value of a record, nested records included. */
function recordFields(id: string, record: Json): Edits {
  const readers: [string, () => unknown][] = []
  const rows = Object.entries(record).map(([name, before]): HTMLElement | null => {
    const fieldId = `${id}-${name}`
    if (isRecord(before)) {
      const inner = recordFields(fieldId, before)
      // Laid over as a whole, so what was not changed stays in it.
      readers.push([name, () => (inner.read() === null ? undefined : { ...before, ...inner.read() })])
      return h('fieldset', {}, h('legend', {}, title(name)), inner.element)
    }
    const isList = Array.isArray(before) && before.every((each) => typeof each !== 'object')
    if (typeof before === 'object' && before !== null && !isList) return null
    const shown = Array.isArray(before) ? before.join(', ') : String(before ?? '')
    const isLong = shown.length > 60
    const input = isLong ? h('textarea', { id: fieldId, rows: 2 }) : h('input', { id: fieldId, type: 'text' })
    input.value = shown
    readers.push([
      name,
      () => (input.value.trim() === shown ? undefined : parsed(title(name), before, input.value.trim())),
    ])
    return h('div', { class: 'field' }, h('label', { for: fieldId }, title(name)), input)
  })
  return {
    element: h('div', { class: 'field-grid' }, ...rows),
    read() {
      const changed = readers.map(([name, read]) => [name, read()] as const).filter(([, each]) => each !== undefined)
      return changed.length === 0 ? null : Object.fromEntries(changed)
    },
  }
}

function parsed(name: string, before: unknown, text: string): unknown {
  if (Array.isArray(before))
    return text
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '')
  if (typeof before === 'number') {
    const number = Number(text)
    if (text === '' || !Number.isFinite(number)) throw new Error(`${name} must be a number.`)
    return number
  }
  if (typeof before === 'boolean') return text === 'true' || text === 'yes'
  return text
}

interface Competitor {
  readonly name: HTMLInputElement
  readonly url: HTMLInputElement
  readonly row: HTMLElement
}

function competitorList(findings: readonly Finding[]): {
  readonly element: HTMLElement
  read(): readonly Json[] | null
} {
  const before = findings
    .map(({ data }) => (isRecord(data) ? data : {}))
    .map((data) => [String(data['name'] ?? ''), String(data['url'] ?? '')])
  const rows: Competitor[] = []
  const list = h('ul', { class: 'competitors' })
  let made = 0

  function add(nameText: string, urlText: string): HTMLInputElement {
    const id = `competitor-${String(made++)}`
    const name = h('input', { id: `${id}-name`, type: 'text', maxlength: 200, value: nameText })
    const url = h('input', { id: `${id}-url`, type: 'text', maxlength: 500, value: urlText })
    const remove = (): void => {
      rows.splice(rows.indexOf(competitor), 1)
      row.remove()
      addButton.focus()
    }
    const row = h(
      'li',
      {},
      h('div', { class: 'field' }, h('label', { for: name.id }, 'Name'), name),
      h('div', { class: 'field' }, h('label', { for: url.id }, 'Site'), url),
      h(
        'button',
        {
          type: 'button',
          class: 'quiet-button',
          onclick: remove,
          'aria-label': `Remove ${nameText === '' ? 'this competitor' : nameText}`,
        },
        'Remove',
      ),
    )
    const competitor = { name, url, row }
    rows.push(competitor)
    list.append(row)
    return name
  }

  const addButton = h(
    'button',
    { type: 'button', class: 'quiet-button', onclick: () => add('', '').focus() },
    'Add a competitor',
  )
  for (const [name = '', url = ''] of before) add(name, url)
  return {
    element: h('fieldset', {}, h('legend', {}, 'Competitors'), list, addButton),
    read() {
      const now = rows.map(({ name, url }) => [name.value.trim(), url.value.trim()]).filter(([name]) => name !== '')
      if (JSON.stringify(now) === JSON.stringify(before)) return null
      return now.map(([name, url]) => (url === '' ? { name } : { name, url }))
    },
  }
}
