/**
 * DocuSign's eSignature REST API v2.1.
 *
 *   create_envelope  asks for an envelope of this transaction id first, then makes it: a lost answer makes no second one
 *   void_envelope    where the envelope has ended already, the answer says how
 *   fetch_signed     the signed file and its certificate, put into the store once
 *
 * People are found by the tenant and organization of the call; no event names them.
 */

import { z } from 'zod'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import type { HttpAnswer, HttpCall } from '../http/index.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'
import type { AccessTokens } from './access-token.ts'
import { accountAddress } from './account-address.ts'
import { accessTokens } from './access-token.ts'
import type { Person } from './envelope.ts'
import { envelopeRequest, wireEnvelope } from './envelope.ts'
import type { FileRef, FileStore, SignerOf } from './port.ts'

export interface DocuSignSettings {
  readonly authUrl: string
  /** The account's `base_uri`, without a slash at its end; null asks for it. */
  readonly baseUrl: string | null
  readonly accountId: string
  readonly integrationKey: string
  readonly userId: string
  /** PEM, RSA. */
  readonly privateKey: string
  readonly mode: Provider['mode']
  readonly timeoutMs: number
  readonly rate?: Provider['rate']
  readonly concurrency?: number
  /** Who signs for us. */
  readonly provider: Person
  readonly signerOf: SignerOf
  readonly files: FileStore
  readonly webhookUrl?: string | null
  /** Real time in ms. */
  readonly now: () => number
}

const mebibyte = 1024 * 1024
const largestPdf = 24 * mebibyte

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })
const away = (error: string): CallOutcome => ({ class: 'retry', status: 503, output: null, error })

export function docuSignProvider(settings: DocuSignSettings): Provider {
  const api = apiOf(settings, accessTokens(settings))
  return Object.freeze({
    name: 'docusign',
    account: `${settings.mode}:${settings.accountId}`,
    mode: settings.mode,
    repeat: 'lookup-first' as const,
    rate: settings.rate ?? null,
    concurrency: settings.concurrency ?? 8,
    timeoutMs: 4 * settings.timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      switch (call.operation) {
        case 'create_envelope':
          return create(settings, api, call)
        case 'void_envelope':
          return voidEnvelope(api, call)
        case 'fetch_signed':
          return fetchSigned(settings, api, call)
        default:
          return refused('docusign has no such operation')
      }
    },
  })
}

type Api = (
  call: Pick<HttpCall, 'method' | 'json' | 'encoding'> & { readonly path: string },
  signal: AbortSignal,
) => Promise<
  | { readonly ok: true; readonly body: string }
  | { readonly ok: false; readonly status: number; readonly outcome: CallOutcome }
>

/** One authorized request; a token that was refused is replaced once. */
function apiOf(settings: DocuSignSettings, tokens: AccessTokens): Api {
  const addressOf = accountAddress(settings)
  return async ({ path, ...call }, signal) => {
    for (let again = true; ; again = false) {
      const token = await tokens.get(signal)
      if (typeof token !== 'string') return { ok: false, status: token.status, outcome: token }
      const address = await addressOf(token, signal)
      if (typeof address !== 'string') return { ok: false, status: address.status, outcome: address }
      const http = await httpCall({
        ...call,
        url: `${address}/restapi/v2.1/accounts/${encodeURIComponent(settings.accountId)}${path}`,
        headers: {
          authorization: `Bearer ${token}`,
          ...(call.encoding === 'latin1' ? { accept: 'application/pdf' } : {}),
        },
        timeoutMs: settings.timeoutMs,
        maxBytes: call.encoding === 'latin1' ? largestPdf : mebibyte,
        signal,
      })
      if (http.kind === 'answer' && http.status >= 200 && http.status < 300) return { ok: true, body: http.body }
      if (http.kind === 'answer' && http.status === 401) tokens.refused(token)
      if (http.kind === 'answer' && http.status === 401 && again) continue
      return { ok: false, status: http.status, outcome: outcomeOf(http, settings.now()) }
    }
  }
}

const errorBody = z.object({ errorCode: z.string() })

function outcomeOf(http: HttpAnswer, nowMs: number): CallOutcome {
  const read = http.kind === 'answer' ? errorBody.safeParse(parseJson(http.body)) : null
  const code = read?.success === true ? read.data.errorCode : undefined
  const limited = code !== undefined && /LIMIT_EXCEEDED$/.test(code)
  const outcome = failedOutcome('docusign', http, nowMs, { code, ...(limited ? { named: 'retry' as const } : {}) })
  const wait = http.kind === 'answer' && (limited || http.status === 429) ? untilReset(http.headers, nowMs) : undefined
  return wait === undefined || outcome.retryAfterMs !== undefined ? outcome : { ...outcome, retryAfterMs: wait }
}

/** `x-ratelimit-reset` is the second at which the hour's calls begin anew. */
function untilReset(headers: Headers, nowMs: number): number | undefined {
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN)
  const hour = 60 * 60 * 1000
  return Number.isFinite(reset) ? Math.min(hour, Math.max(0, reset * 1000 - nowMs)) : undefined
}

const found = z.object({ envelopes: z.array(z.object({ envelopeId: z.string().min(1) })).optional() })
const made = z.object({ envelopeId: z.string().min(1) })

async function create(settings: DocuSignSettings, api: Api, call: ProviderCall): Promise<CallOutcome> {
  const asked = envelopeRequest.safeParse(call.request)
  if (!asked.success) return refused('the request is not an envelope')
  const { transaction_id, document } = asked.data
  const earlier = await api(
    { method: 'GET', path: `/envelopes?transaction_ids=${encodeURIComponent(transaction_id)}` },
    call.signal,
  )
  if (!earlier.ok) return earlier.outcome
  const known = found.safeParse(parseJson(earlier.body))
  // Something in between answered: whether there is one is not known.
  if (!known.success) return unreadable
  const [first] = known.data.envelopes ?? []
  if (first !== undefined) return done(200, { envelope_id: first.envelopeId })
  const [client, pdf] = await Promise.all([
    troubled(() => settings.signerOf(call.tenantId, call.organizationId)),
    troubled(() => settings.files.get(document.ref.key, document.ref.version_id)),
  ])
  if (client === trouble || pdf === trouble) return away('what the envelope needs could not be read')
  if (client === null) return refused('the organization has no owner who could sign')
  if (pdf === null) return refused('the document is not in the store')
  const body = wireEnvelope(asked.data, {
    tenantId: call.tenantId,
    organizationId: call.organizationId,
    pdf: pdf.content,
    people: { client, provider: settings.provider },
    webhookUrl: settings.webhookUrl ?? null,
  })
  const answer = await api({ method: 'POST', path: '/envelopes', json: body }, call.signal)
  if (!answer.ok) return answer.outcome
  const read = made.safeParse(parseJson(answer.body))
  return read.success ? done(201, { envelope_id: read.data.envelopeId }) : unreadable
}

const unreadable: CallOutcome = { class: 'retry', status: 502, output: null, error: 'docusign answered something else' }
const done = (status: number, output: CallOutcome['output']): CallOutcome => ({ class: 'ok', status, output })

const trouble = Symbol('trouble')
async function troubled<T>(work: () => Promise<T>): Promise<T | typeof trouble> {
  try {
    return await work()
  } catch {
    return trouble
  }
}

const voidRequest = z.object({ envelope_id: z.string().min(1), reason: z.string() })
const standing = z.object({ status: z.string() })
const longestReason = 200

async function voidEnvelope(api: Api, call: ProviderCall): Promise<CallOutcome> {
  const asked = voidRequest.safeParse(call.request)
  if (!asked.success) return refused('the request names no envelope')
  const path = `/envelopes/${encodeURIComponent(asked.data.envelope_id)}`
  const json = { status: 'voided', voidedReason: asked.data.reason.slice(0, longestReason) }
  const answer = await api({ method: 'PUT', path, json }, call.signal)
  if (answer.ok) return made.safeParse(parseJson(answer.body)).success ? done(200, { status: 'voided' }) : unreadable
  if (answer.status !== 400) return answer.outcome
  // What has ended cannot be voided: how it ended decides what follows.
  const now = await api({ method: 'GET', path }, call.signal)
  if (!now.ok) return now.outcome
  const read = standing.safeParse(parseJson(now.body))
  if (!read.success) return unreadable
  const ended = ['completed', 'declined', 'voided'].includes(read.data.status)
  return ended ? done(200, { status: read.data.status }) : answer.outcome
}

const fetchRequest = z.object({ envelope_id: z.string().min(1), document_id: z.string().min(1), version: z.number() })

async function fetchSigned(settings: DocuSignSettings, api: Api, call: ProviderCall): Promise<CallOutcome> {
  const asked = fetchRequest.safeParse(call.request)
  if (!asked.success) return refused('the request names no envelope')
  const { envelope_id, document_id, version } = asked.data
  const place = `tenants/${call.tenantId}/documents/${document_id}/v${version}`
  const path = `/envelopes/${encodeURIComponent(envelope_id)}/documents`
  const signed = await stored(settings.files, `${place}-signed.pdf`, () => pdfAt(api, `${path}/combined`, call.signal))
  if ('class' in signed) return signed
  const certificate = await stored(settings.files, `${place}-certificate.pdf`, () =>
    pdfAt(api, `${path}/certificate`, call.signal),
  )
  if ('class' in certificate) return certificate
  return done(200, { signed_ref: { ...signed }, certificate_ref: { ...certificate } })
}

async function pdfAt(api: Api, path: string, signal: AbortSignal): Promise<Buffer | CallOutcome> {
  const answer = await api({ method: 'GET', path, encoding: 'latin1' }, signal)
  if (!answer.ok) return answer.outcome
  const bytes = Buffer.from(answer.body, 'latin1')
  return bytes.subarray(0, 5).toString('latin1') === '%PDF-' ? bytes : unreadable
}

/** What stands under the key; else what is fetched now is put there. A repeated call finds what the first one left. */
async function stored(
  files: FileStore,
  key: string,
  fetch: () => Promise<Buffer | CallOutcome>,
): Promise<FileRef | CallOutcome> {
  const before = await troubled(() => files.head(key))
  if (before === trouble) return away('the store could not be read')
  if (before !== null) return refOf(before)
  const content = await fetch()
  if (!Buffer.isBuffer(content)) return content
  const put = await troubled(() => files.put(key, content, { contentType: 'application/pdf' }))
  return put === trouble ? away('the store could not be written') : refOf(put)
}

const refOf = ({ bucket, key, version_id, sha256, bytes }: FileRef): FileRef => ({
  bucket,
  key,
  version_id,
  sha256,
  bytes,
})
