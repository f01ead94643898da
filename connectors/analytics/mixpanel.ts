/**
 * Mixpanel: `import` posts events to `/import?strict=1`, in batches as large as it takes.
 *
 *   request  { events: [{ event, properties: { time, distinct_id, $insert_id, … } }] }
 *   output   { imported, insert_ids, failed: [{ insert_id, field, message }] }
 *
 * Mixpanel keeps one event for a `$insert_id` (with its time, name and person), so a call that is made again counts once.
 * A 400 that names `failed_records` has taken all the others: that is a success which says what was refused.
 * https://developer.mixpanel.com/reference/import-events
 */

import { z } from 'zod'
import type { Json } from '../../schemas/index.ts'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'

export interface MixpanelSettings {
  readonly baseUrl: string
  /** A service account as `user:secret`, or the token of the project. */
  readonly credential: string
  /** Needed beside a service account. */
  readonly projectId: string | null
  readonly mode: Provider['mode']
  readonly timeoutMs: number
  readonly rate?: Provider['rate']
  readonly concurrency?: number
  /** Wall clock in ms, for a `retry-after` that is a date. */
  readonly now?: () => number
}

const eventsPerRequest = 2_000
/** Mixpanel takes 10 MB. */
const bytesPerRequest = 8_000_000
const longestWords = 200

const request = z.object({
  events: z
    .array(
      z.object({
        event: z.string().min(1).max(255),
        properties: z.looseObject({
          time: z.number(),
          distinct_id: z.string().min(1),
          $insert_id: z.string().min(1).max(36),
        }),
      }),
    )
    .min(1),
})
type Event = z.infer<typeof request>['events'][number]

const accepted = z.object({ num_records_imported: z.number() })
const partly = z.object({
  num_records_imported: z.number().optional(),
  failed_records: z
    .array(
      z.object({
        index: z.int(),
        insert_id: z.string().optional(),
        field: z.string().optional(),
        message: z.string().optional(),
      }),
    )
    .min(1),
})

interface Imported {
  readonly imported: number
  readonly failed: readonly { readonly insert_id: string; readonly field: string; readonly message: string }[]
}

export function mixpanelProvider(settings: MixpanelSettings): Provider {
  return Object.freeze({
    name: 'mixpanel',
    account: settings.projectId ?? settings.mode,
    mode: settings.mode,
    repeat: 'keyed' as const,
    rate: settings.rate ?? null,
    concurrency: settings.concurrency ?? 4,
    timeoutMs: settings.timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      if (call.operation !== 'import') return refused('mixpanel has no such operation')
      const asked = request.safeParse(call.request)
      if (!asked.success) return refused('the request holds no events as Mixpanel takes them')
      return importAll(settings, asked.data.events, call.signal)
    },
  })
}

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

/** One batch after the other; the first that fails is the answer, and the call made again repeats what was taken. */
async function importAll(
  settings: MixpanelSettings,
  events: readonly Event[],
  signal: AbortSignal,
): Promise<CallOutcome> {
  const done: Imported[] = []
  for (const batch of batches(events)) {
    const outcome = await importBatch(settings, batch, signal)
    if ('class' in outcome) return outcome
    done.push(outcome)
  }
  const failed = done.flatMap((each) => each.failed)
  const left = new Set(failed.map(({ insert_id }) => insert_id))
  const insert_ids = events.map(({ properties }) => properties.$insert_id).filter((id) => !left.has(id))
  const imported = done.reduce((sum, each) => sum + each.imported, 0)
  return { class: 'ok', status: 200, output: { imported, insert_ids, failed } as unknown as Json, costMicrodollars: 0 }
}

function batches(events: readonly Event[]): Event[][] {
  const made: Event[][] = [[]]
  let bytes = 0
  for (const event of events) {
    const size = Buffer.byteLength(JSON.stringify(event)) + 1
    const full = made.at(-1)!.length === eventsPerRequest || (bytes + size > bytesPerRequest && made.at(-1)!.length > 0)
    if (full) made.push([])
    bytes = full ? size : bytes + size
    made.at(-1)!.push(event)
  }
  return made
}

async function importBatch(
  settings: MixpanelSettings,
  batch: readonly Event[],
  signal: AbortSignal,
): Promise<Imported | CallOutcome> {
  const { baseUrl, credential, projectId, timeoutMs } = settings
  const project = projectId === null ? '' : `&project_id=${encodeURIComponent(projectId)}`
  const user = credential.includes(':') ? credential : `${credential}:`
  const http = await httpCall({
    method: 'POST',
    url: `${baseUrl}/import?strict=1${project}`,
    headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
    json: batch,
    timeoutMs,
    maxBytes: 2 * 1024 * 1024,
    signal,
  })
  if (http.kind === 'answer' && http.status === 200) {
    const read = accepted.safeParse(parseJson(http.body))
    if (read.success) return { imported: read.data.num_records_imported, failed: [] }
  }
  if (http.kind === 'answer' && http.status === 400) {
    const read = partly.safeParse(parseJson(http.body))
    if (read.success) return partOf(batch, read.data)
  }
  return failedOutcome('mixpanel', http, (settings.now ?? Date.now)())
}

function partOf(batch: readonly Event[], { num_records_imported, failed_records }: z.infer<typeof partly>): Imported {
  const failed = failed_records.map(({ index, insert_id, field, message }) => ({
    insert_id: batch[index]?.properties.$insert_id ?? insert_id ?? '',
    field: (field ?? '').slice(0, longestWords),
    message: (message ?? '').slice(0, longestWords),
  }))
  return { imported: num_records_imported ?? batch.length - failed.length, failed }
}
