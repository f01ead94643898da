/** The topic browser: any topic, partition and place, read only. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { count, counted, momentOf, shortIds, title } from '../format.ts'
import { get } from '../http.ts'
import { empty, facts, field, into, pageHead, tag } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { note } from '../router.ts'

interface Topic {
  readonly name: string
  readonly kind: string
  readonly partitions: readonly { readonly partition: number; readonly start: string; readonly end: string }[]
}

interface LogRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: string | null
  readonly bytes: number
  readonly headers: readonly { readonly key: string; readonly value: string }[]
  readonly kind: 'event' | 'unknown_event' | 'undecodable' | 'tombstone' | 'internal'
  readonly event: {
    readonly envelope: Readonly<Record<string, unknown>>
    readonly payload: Readonly<Record<string, unknown>>
  } | null
  readonly hidden: readonly string[]
  readonly erased: readonly string[]
  readonly why: string | null
}

interface RecordPage {
  readonly topic: string
  readonly partition: number
  readonly start: string
  readonly end: string
  readonly records: readonly LogRecord[]
  readonly next_offset: string
}

const kindNames: Readonly<Record<string, string>> = {
  event: 'Events',
  dead_letter: 'Dead letters',
  changelog: 'Changelogs of state',
  repartition: 'Repartition topics',
  internal: 'Internal topics',
}
const pageSize = 25

/** Events before anything else, and of those where there is most to see. */
const fullestOf = (list: readonly Topic[]): Topic | undefined => {
  const events = list.filter(({ kind }) => kind === 'event')
  const size = ({ partitions }: Topic): number => partitions.reduce((sum, each) => sum + sizeOf(each), 0)
  return (events.length > 0 ? events : list).toSorted((a, b) => size(b) - size(a))[0]
}
/** Where there is most to see. */
const fullest = ({ partitions }: Topic): number =>
  partitions.reduce((most, each) => (sizeOf(each) > sizeOf(most) ? each : most)).partition
const sizeOf = ({ start, end }: Topic['partitions'][number]): number => Number(BigInt(end) - BigInt(start))

export async function topics({ query, signal }: Visit): Promise<Shown> {
  const { topics: list } = await get<{ topics: Topic[] }>('/operator/topics', {}, signal)
  const wanted = list.find(({ name }) => name === query.get('topic')) ?? fullestOf(list)
  if (wanted === undefined)
    return { title: 'Topics', content: [pageHead('Topics'), empty('The log holds no topic yet.')] }
  let topic: Topic = wanted
  let partition = Number(query.get('partition') ?? fullest(topic))
  if (!topic.partitions.some((each) => each.partition === partition)) partition = 0

  const groups = Map.groupBy(list, ({ kind }) => kind)
  const option = ({ name, partitions }: Topic): HTMLElement =>
    h(
      'option',
      { value: name, selected: name === topic.name },
      `${name} (${count(partitions.reduce((sum, { start, end }) => sum + Number(end) - Number(start), 0))})`,
    )
  const topicField = h(
    'select',
    { id: 'topic' },
    ...[...groups].map(([kind, of]) => h('optgroup', { label: kindNames[kind] ?? kind }, ...of.map(option))),
  )
  const partitionField = h('select', { id: 'partition' })
  const offsetField = h('input', {
    id: 'offset',
    type: 'text',
    inputmode: 'numeric',
    pattern: '\\d{1,18}',
    size: 12,
    placeholder: 'newest',
  })
  const timeField = h('input', { id: 'time', type: 'datetime-local', step: 1 })
  const bounds = h('p', { class: 'quiet' })
  const place = h('div', {})

  const drawPartitions = (): void =>
    fill(
      partitionField,
      ...topic.partitions.map((each) =>
        h('option', { value: each.partition, selected: each.partition === partition }, String(each.partition)),
      ),
    )

  function show(parameters: Readonly<Record<string, string | null>>): Promise<void> {
    fill(place)
    return into(
      place,
      'records',
      async () => {
        const path = `/operator/topics/${encodeURIComponent(topic.name)}/records`
        const page = await get<RecordPage>(path, { partition, limit: pageSize, ...parameters }, signal)
        note({ topic: topic.name, partition: String(partition), offset: parameters['offset'] ?? null })
        fill(
          bounds,
          `Partition ${String(partition)} keeps offsets ${page.start} to ${page.end}; committed records only.`,
        )
        return records(page)
      },
      signal,
    )
  }

  function records(page: RecordPage): Child {
    if (page.records.length === 0)
      return empty(
        page.start === page.end ? 'This partition holds no records.' : 'There are no records from here on.',
        earlier(page),
      )
    return [
      h('ol', { class: 'records' }, ...page.records.map((record) => h('li', {}, recordRow(record)))),
      h('nav', { class: 'buttons', 'aria-label': 'Pages of records' }, earlier(page), later(page)),
    ]
  }

  function earlier({ records: shown, start, next_offset }: RecordPage): Child {
    const first = BigInt(shown[0]?.offset ?? next_offset)
    if (first <= BigInt(start)) return null
    const back = first - BigInt(pageSize)
    const offset = String(back > BigInt(start) ? back : start)
    return h('button', { type: 'button', onclick: () => void seek(offset) }, 'Earlier')
  }

  const later = ({ next_offset, end }: RecordPage): Child =>
    BigInt(next_offset) < BigInt(end) && h('button', { type: 'button', onclick: () => void seek(next_offset) }, 'Later')

  function seek(offset: string): Promise<void> {
    offsetField.value = offset
    return show({ offset })
  }

  topicField.addEventListener('change', () => {
    topic = list.find(({ name }) => name === topicField.value) ?? topic
    partition = fullest(topic)
    offsetField.value = ''
    drawPartitions()
    void show({})
  })
  partitionField.addEventListener('change', () => {
    partition = Number(partitionField.value)
    offsetField.value = ''
    void show({})
  })
  const form = h(
    'form',
    {
      class: 'seek',
      onsubmit: (event) => {
        event.preventDefault()
        if (timeField.value !== '') void show({ at: new Date(timeField.value).toISOString() })
        else void show({ offset: offsetField.value.trim() === '' ? null : offsetField.value.trim() })
      },
    },
    h('div', { class: 'field' }, h('label', { for: 'topic' }, 'Topic'), topicField),
    h('div', { class: 'field' }, h('label', { for: 'partition' }, 'Partition'), partitionField),
    h('div', { class: 'field' }, h('label', { for: 'offset' }, 'From offset'), offsetField),
    h('div', { class: 'field' }, h('label', { for: 'time' }, 'or from time'), timeField),
    h('button', { type: 'submit' }, 'Show'),
  )
  drawPartitions()
  const offset = query.get('offset')
  if (offset !== null && /^\d{1,18}$/.test(offset)) void seek(offset)
  else void show({})
  return {
    title: 'Topics',
    content: [
      pageHead(
        'Topics',
        'Records as they stand in the log. What is said about a person shows for your own tenant alone.',
      ),
      form,
      bounds,
      place,
    ],
  }
}

function recordRow(record: LogRecord): HTMLElement {
  const { offset, timestamp, key, kind, event, bytes } = record
  const type = title(event === null ? kind : String(event.envelope['event_type']))
  return h(
    'details',
    { class: 'record' },
    h(
      'summary',
      {},
      h('code', {}, offset),
      h('strong', {}, type),
      h('time', { datetime: timestamp }, momentOf(timestamp)),
      h('code', { class: 'key', title: key ?? '' }, key === null ? 'no key' : shortIds(key)),
      h('span', { class: 'bytes' }, counted(bytes, 'byte')),
    ),
    h('div', { class: 'detail' }, keyOf(key), contentOf(record), headersOf(record)),
  )
}

const withoutDecoding: Readonly<Record<string, string>> = {
  tombstone: 'A tombstone: the key has no value from here on.',
  internal: 'State and what a service sends itself is not decoded here.',
}

function contentOf({ event, kind, hidden, erased, why }: LogRecord): Child {
  if (event === null) return h('p', {}, why ?? withoutDecoding[kind] ?? '')
  const fields = Object.entries(event.payload).filter(([name, each]) => each !== null && !erased.includes(name))
  return [
    h('h3', {}, 'Payload'),
    facts([
      ...fields.map(([name, each]) => field(name, each, event.payload)),
      ...hidden.map((name): [string, Child] => [title(name), tag('personal', 'warn')]),
      ...erased.map((name): [string, Child] => [title(name), tag('erased')]),
    ]),
    h('h3', {}, 'Envelope'),
    facts(
      Object.entries(event.envelope).map(([name, each]) =>
        name === 'timestamp' ? ['Timestamp', momentOf(Number(each))] : field(name, each, event.envelope),
      ),
    ),
  ]
}

const keyOf = (key: string | null): Child => key !== null && [h('h3', {}, 'Key'), h('p', {}, h('code', {}, key))]

function headersOf({ headers }: LogRecord): Child {
  if (headers.length === 0) return null
  return [h('h3', {}, 'Headers'), facts(headers.map((header): [string, Child] => [header.key, header.value]))]
}
