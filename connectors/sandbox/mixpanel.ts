/** Mixpanel's import, for practice: an event counts once, and what the real one refuses is refused here, event by event. */

import type { Answer, Asked, StandIn } from './exchange.ts'
import { field, jsonAnswer, textField } from './exchange.ts'
import { Records } from './records.ts'

/** An event that was imported. */
export interface AnalyticsEvent {
  readonly event: string
  readonly insert_id: string
  readonly distinct_id: string
  /** In ms since 1970. */
  readonly time: number
  /** The project's token, or the service account's name. */
  readonly account: string
}

export interface MixpanelStandIn extends StandIn {
  /** How many distinct events there are, and the newest of them, newest last. */
  events(limit: number): { readonly distinct: number; readonly events: readonly AnalyticsEvent[] }
  close(): void
}

const eventsPerRequest = 2_000
const bytesPerRequest = 10 * 1024 * 1024
const hour = 60 * 60 * 1000
const since1971 = 31_536_000_000
const nobody = new Set([
  '',
  '0',
  '-1',
  '00000000-0000-0000-0000-000000000000',
  'anon',
  'anonymous',
  'nil',
  'none',
  'null',
  'n/a',
  'na',
  'undefined',
  'unknown',
  'false',
  'true',
  'lmy47d',
  '[]',
  '{}',
])

/** @param now business time in ms */
export function mixpanel(path: string, now: () => number): MixpanelStandIn {
  const kept = new Records<AnalyticsEvent>(path)

  function importAll(asked: Asked, account: string): Answer {
    if (asked.raw.length > bytesPerRequest) return { status: 413, body: errorBody(413, 'request exceeds max limit') }
    if (!Array.isArray(asked.json))
      return { status: 400, body: errorBody(400, 'some data points in the request failed validation') }
    const list = asked.json as unknown[]
    if (list.length > eventsPerRequest)
      return { status: 413, body: errorBody(413, `request exceeds max limit of ${eventsPerRequest} events`) }
    const failed: unknown[] = []
    for (const [index, told] of list.entries()) {
      const fault = faultIn(told, now())
      if (fault === null) keep(told, account)
      else failed.push({ index, insert_id: textField(field(told, 'properties'), '$insert_id') ?? '', ...fault })
    }
    const num_records_imported = list.length - failed.length
    if (failed.length === 0) return jsonAnswer(200, { code: 200, num_records_imported, status: 'OK' })
    const error = 'some data points in the request failed validation'
    return jsonAnswer(400, { code: 400, error, failed_records: failed, num_records_imported, status: 'Bad Request' })
  }

  function keep(told: unknown, account: string): void {
    const properties = field(told, 'properties')
    const event = {
      event: textField(told, 'event') ?? '',
      insert_id: textField(properties, '$insert_id') ?? '',
      distinct_id: textField(properties, 'distinct_id') ?? '',
      time: timeIn(properties) ?? 0,
      account,
    }
    kept.put(JSON.stringify([account, event.event, event.distinct_id, event.time, event.insert_id]), event)
  }

  return {
    name: 'mixpanel',
    recognise: ({ method, path: asked }) =>
      method === 'POST' && asked === '/import' ? { operation: 'import', companies: [] } : null,
    answer(_operation, asked) {
      const account = accountIn(asked)
      if (account === null) return { status: 401, body: this.error(401) }
      if (account.isService && (asked.query.get('project_id') ?? '') === '')
        return { status: 400, body: errorBody(400, 'project_id is required for service accounts') }
      return importAll(asked, account.name)
    },
    error: (status) => errorBody(status, status === 401 ? 'Invalid credentials' : `The sandbox answers ${status}.`),
    events: (limit) => ({ distinct: kept.size, events: [...kept.values()].slice(-limit) }),
    close: () => kept.close(),
  }
}

const errorBody = (code: number, error: string): string => JSON.stringify({ code, error, status: 'Error' })

/** Whose project it is; null without a name. A project's token comes without a secret, a service account's with one. */
function accountIn({ headers }: Asked): { readonly name: string; readonly isService: boolean } | null {
  const [, encoded] = /^Basic (\S+)$/.exec(String(headers['authorization'] ?? '')) ?? []
  const [name = '', secret = ''] = Buffer.from(encoded ?? '', 'base64')
    .toString('utf8')
    .split(':')
  return name === '' ? null : { name, isService: secret !== '' }
}

/** Seconds and milliseconds are both understood. */
function timeIn(properties: unknown): number | null {
  const time = field(properties, 'time')
  if (typeof time !== 'number') return null
  return time < 100_000_000_000 ? time * 1000 : time
}

function faultIn(told: unknown, nowMs: number): { readonly field: string; readonly message: string } | null {
  const fault = (name: string, message: string) => ({ field: name, message })
  const properties = field(told, 'properties')
  if (textField(told, 'event') === null) return fault('event', 'event must be a nonempty string')
  const time = timeIn(properties)
  if (time === null) return fault('properties.time', "'properties.time' is invalid: must be specified as a timestamp")
  if (time < since1971 || time > nowMs + hour)
    return fault('properties.time', "'properties.time' is invalid: must be after 1971 and not more than an hour ahead")
  const insertId = textField(properties, '$insert_id')
  if (insertId === null || insertId.length > 36 || !/^[A-Za-z0-9-]+$/.test(insertId))
    return fault('properties.$insert_id', "'properties.$insert_id' is invalid: must be 1 to 36 letters, digits and -")
  const person = textField(properties, 'distinct_id')
  if (person === null || nobody.has(person.toLowerCase()))
    return fault('properties.distinct_id', "'properties.distinct_id' is invalid: must name somebody")
  return null
}
