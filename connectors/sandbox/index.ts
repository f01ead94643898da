/**
 * A local stand-in for the outside services. It speaks the providers' bytes over HTTP on loopback, so the real clients
 * run unchanged; what it answers follows from the request alone, unless a script says otherwise. Mails, calls, jobs and
 * the script stand in `directory` and outlive a kill.
 *
 *   providers   {url}/perplexity · {url}/webscraper/api/v1 · {url}/sendgrid · {url}/openai/v1 · {url}/anthropic ·
 *               {url}/stripe · {url}/docusign · {url}/mixpanel · {url}/s3
 *   people      GET  /sandbox/mail?to=&limit=               [{ to, subject, text, sent_at }], newest last
 *               GET  /sandbox/calls?provider=&operation=&limit=   { total, calls }, newest last
 *               GET  /sandbox/analytics?limit=          { distinct, events }: imported by Mixpanel's, newest last
 *               GET  /sandbox/agenda?limit=             [{ at, kind, id }]: what is still to happen, next first
 *               GET · POST (adds) · PUT (replaces) · DELETE  /sandbox/script   { rules }
 *   platform    POST /sandbox/follow  { now, platform_url }   a platform elsewhere tells its business time, where the sandbox
 *               was opened to follow one: { now, busy, next_at }
 *
 * The script that sends companies to review:  [{ "companies": ["acme.example"], "answer": "low_confidence" }]
 */

import { mkdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../../topology/index.ts'
import { fromLoopback } from '../http/index.ts'
import { Agenda } from './agenda.ts'
import { anthropic } from './anthropic.ts'
import type { CallLog } from './calls.ts'
import { callLog } from './calls.ts'
import { Deliveries } from './deliveries.ts'
import type { Answer, Asked, StandIn, StandInContext } from './exchange.ts'
import { docuSign } from './docusign.ts'
import { field, textField } from './exchange.ts'
import { bodyOf, send, sendJson, sendProblem } from './http.ts'
import type { MixpanelStandIn } from './mixpanel.ts'
import { mixpanel } from './mixpanel.ts'
import { openai } from './openai.ts'
import { perplexity } from './perplexity.ts'
import { s3 } from './s3.ts'
import type { SandboxProvider, SandboxRule } from './script.ts'
import { Script, ScriptError, parseScript, sandboxProviders } from './script.ts'
import type { SendGridStandIn } from './send-grid.ts'
import { sendGrid } from './send-grid.ts'
import { mailEvents } from './send-grid-events.ts'
import { stripe } from './stripe.ts'
import { visitors } from './visitors.ts'
import { webScraper } from './web-scraper.ts'

export type { LoggedCall } from './calls.ts'
export type { Answer, Asked } from './exchange.ts'
export type { AnalyticsEvent } from './mixpanel.ts'
export type { SandboxProvider, SandboxRule } from './script.ts'
export type { SandboxMail } from './send-grid.ts'
export { sandboxMailKey } from './send-grid-events.ts'

export interface SandboxOptions {
  /** Made when missing; holds mail.ndjson, calls.ndjson, jobs.ndjson, script.json and s3/. */
  readonly directory: string
  /** Business time. */
  readonly clock: Clock
  /** Real time in ms, for signatures; that of the clock unless told. */
  readonly realNow?: () => number
  /** Signs webhooks to the platform's endpoints named `sandbox`. */
  readonly webhookSecret?: string
  /** Where webhooks go; `deliverTo` says it later. */
  readonly platformUrl?: string
  /** Replaces the script that stands in the directory. */
  readonly script?: readonly SandboxRule[]
  /** Stands around every provider's call. */
  readonly around?: Around
  /** Moves the clock on to what a platform in another process tells, in ms; true while somebody here is still at work. */
  readonly follow?: (now: number) => boolean
}

/** A provider's call, recognised and not answered yet. */
export interface SeenCall {
  readonly provider: SandboxProvider
  readonly operation: string
  readonly companies: readonly string[]
  readonly asked: Asked
}

/**
 * Sends what it likes, or ends the connection. `answer` has the stand-in do what was asked, once, and logs the call; `error`
 * spells one of the provider's own.
 */
export type Around = (
  call: SeenCall,
  handle: { readonly answer: () => Promise<Answer>; readonly error: (status: number) => string },
  response: ServerResponse,
) => Promise<void>

export interface Sandbox {
  readonly url: string
  readonly baseUrls: Readonly<Record<SandboxProvider, string>>
  /** Answers `/sandbox/*`; refuses what does not come from this machine. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void
  /** Webhooks go to `{platformUrl}/webhooks/{provider}/sandbox` from now on. */
  deliverTo(platformUrl: string): void
  /** True while a call is being answered or something of the agenda is being done. */
  readonly isBusy: boolean
  close(): Promise<void>
}

interface Parts {
  readonly script: Script
  readonly calls: CallLog
  readonly mail: SendGridStandIn
  readonly analytics: MixpanelStandIn
  readonly standIns: Readonly<Record<SandboxProvider, StandIn>>
  readonly agenda: Agenda
  readonly now: () => number
  readonly around: Around | null
}

const prefixes: Readonly<Record<SandboxProvider, string>> = {
  perplexity: '/perplexity',
  webscraper: '/webscraper/api/v1',
  sendgrid: '/sendgrid',
  docusign: '/docusign',
  openai: '/openai/v1',
  anthropic: '/anthropic',
  mixpanel: '/mixpanel',
  s3: '/s3',
  stripe: '/stripe',
}

/** Where the providers answer, below the address of a sandbox. */
export const sandboxAddresses = (url: string): Sandbox['baseUrls'] =>
  Object.fromEntries(sandboxProviders.map((name) => [name, url + prefixes[name]])) as Sandbox['baseUrls']

/** Listens on a free port of 127.0.0.1. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { directory, clock } = options
  mkdirSync(directory, { recursive: true })
  let platformUrl = options.platformUrl ?? null
  const parts = partsOf(options, () => platformUrl)
  if (options.script !== undefined) parts.script.replace(options.script)
  let answers = 0
  const answering =
    (by: typeof provide) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      answers += 1
      // What cannot be kept (a full disk) is not answered: the caller sees a broken connection, as of any provider.
      by(parts, request, response)
        .catch(() => response.destroy())
        .finally(() => (answers -= 1))
    }
  const handler = answering(people)
  const provider = answering(provide)
  const isBusy = (): boolean => answers > 0 || parts.agenda.isBusy
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    // Whoever asks whether somebody is at work is not at work.
    if (request.url === '/sandbox/follow') void followed(request, response).catch(() => response.destroy())
    else if (request.url?.startsWith('/sandbox') === true) handler(request, response)
    else provider(request, response)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  parts.agenda.start()
  return {
    url,
    baseUrls: sandboxAddresses(url),
    handler,
    deliverTo: (address) => {
      platformUrl = address
    },
    get isBusy() {
      return isBusy()
    },
    async close() {
      parts.agenda.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      parts.calls.close()
      for (const name of sandboxProviders) parts.standIns[name].close?.()
    },
  }

  async function followed(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const told = jsonOf((await bodyOf(request))?.toString('utf8') ?? '')
    const now = field(told, 'now')
    if (!fromLoopback(request) || options.follow === undefined || typeof now !== 'number')
      return sendProblem(response, 404, 'Not found', 'This sandbox follows nobody.')
    platformUrl = textField(told, 'platform_url') ?? platformUrl
    const held = options.follow(now)
    // What became due begins in this turn at the latest.
    await new Promise((resolve) => setImmediate(resolve))
    sendJson(response, 200, { now: clock.now(), busy: held || isBusy(), next_at: parts.agenda.nextAt() })
  }

  function partsOf({ realNow, webhookSecret = 'sandbox' }: SandboxOptions, addressOf: () => string | null): Parts {
    const now = (): number => clock.now()
    const script = new Script(join(directory, 'script.json'))
    const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
    const real = realNow ?? now
    const deliveries = new Deliveries({ agenda, script, now, realNow: real, platformUrl: addressOf })
    const context: StandInContext = { directory, now, realNow: real, webhookSecret, agenda, deliveries, script }
    const readers = visitors({ agenda, script, now, platformUrl: addressOf })
    const events = mailEvents(context)
    const mail = sendGrid(join(directory, 'mail.ndjson'), now, (received, told) => {
      if (events.handedOver(told)) readers.reads(received)
    })
    const analytics = mixpanel(join(directory, 'mixpanel.ndjson'), now)
    const standIns = openStandIns(context, mail, analytics)
    const calls = callLog(join(directory, 'calls.ndjson'))
    return { script, calls, mail, analytics, standIns, agenda, now, around: options.around ?? null }
  }
}

/** One line for each provider. */
const openStandIns = (
  context: StandInContext,
  mail: SendGridStandIn,
  analytics: MixpanelStandIn,
): Parts['standIns'] => ({
  perplexity,
  webscraper: webScraper(join(context.directory, 'jobs.ndjson')),
  sendgrid: mail,
  docusign: docuSign(context),
  openai,
  anthropic,
  s3: s3(join(context.directory, 's3'), { now: context.now }),
  stripe: stripe(context),
  mixpanel: analytics,
})

/** A provider's call: recognised, logged, answered as the script wants it. */
async function provide(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sandbox')
  const provider = sandboxProviders.find((name) => url.pathname.startsWith(`${prefixes[name]}/`))
  const raw = await bodyOf(request)
  if (provider === undefined || raw === null)
    return sendProblem(response, 404, 'Not found', 'The sandbox has no such provider.')
  const body = raw.toString('utf8')
  const standIn = parts.standIns[provider]
  const path = url.pathname.slice(prefixes[provider].length)
  const asked: Asked = {
    method: request.method ?? '',
    path,
    query: url.searchParams,
    headers: request.headers,
    body,
    raw,
    json: jsonOf(body),
  }
  const call = standIn.recognise(asked)
  if (call === null) return send(response, { status: 404, body: standIn.error(404) }, null)
  if (parts.around !== null) {
    const answer = async (): Promise<Answer> => (await answered(parts, standIn, call, asked)).answer
    return parts.around({ provider, ...call, asked }, { answer, error: (status) => standIn.error(status) }, response)
  }
  const { answer, rule } = await answered(parts, standIn, call, asked)
  return send(response, answer, rule)
}

/** Does what is asked, as the script wants it, and logs it. */
async function answered(
  parts: Parts,
  standIn: StandIn,
  call: { readonly operation: string; readonly companies: readonly string[] },
  asked: Asked,
): Promise<{ readonly answer: Answer; readonly rule: SandboxRule | null }> {
  const provider = standIn.name
  const rule = parts.script.take({ provider, ...call, body: asked.body })
  const answer =
    rule?.status === undefined && rule?.reset !== true
      ? {
          ...(await standIn.answer(call.operation, asked, rule?.answer, rule)),
          ...(rule?.body === undefined ? {} : { body: rule.body }),
        }
      : { status: rule.status ?? 0, body: rule.body ?? standIn.error(rule.status ?? 500) }
  parts.calls.append({ at: new Date(parts.now()).toISOString(), provider, ...call, status: answer.status })
  return { answer, rule }
}

/** The doors for people and scripts. */
async function people(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!fromLoopback(request))
    return sendProblem(response, 403, 'Forbidden', 'The sandbox answers on this machine only.')
  const { originalUrl } = request as IncomingMessage & { readonly originalUrl?: string }
  const url = new URL(originalUrl ?? request.url ?? '/', 'http://sandbox')
  const limit = Math.min(100_000, Number(url.searchParams.get('limit') ?? 1_000))
  if (!Number.isInteger(limit) || limit < 1)
    return sendProblem(response, 400, 'Bad request', 'limit is a whole number from 1')
  const door = `${request.method ?? ''} ${url.pathname}`
  switch (door) {
    case 'GET /sandbox/mail':
      return sendJson(response, 200, parts.mail.mails(url.searchParams.get('to'), limit))
    case 'GET /sandbox/calls': {
      const provider = url.searchParams.get('provider')
      const known = sandboxProviders.find((name) => name === provider) ?? null
      if (provider !== null && known === null)
        return sendProblem(response, 400, 'Bad request', `provider is one of ${sandboxProviders.join(', ')}`)
      return sendJson(response, 200, parts.calls.read(known, url.searchParams.get('operation'), limit))
    }
    case 'GET /sandbox/analytics':
      return sendJson(response, 200, parts.analytics.events(limit))
    case 'GET /sandbox/agenda':
      return sendJson(response, 200, parts.agenda.upcoming(limit))
    case 'GET /sandbox/script':
      return sendJson(response, 200, { rules: parts.script.rules })
    case 'POST /sandbox/script':
    case 'PUT /sandbox/script':
      return scripted(parts.script, request, response)
    case 'DELETE /sandbox/script':
      parts.script.replace([])
      return sendJson(response, 200, { rules: [] })
    default:
      return sendProblem(
        response,
        404,
        'Not found',
        'The sandbox has /sandbox/mail, /sandbox/calls, /sandbox/analytics, /sandbox/agenda and /sandbox/script.',
      )
  }
}

async function scripted(script: Script, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request)
  try {
    const rules = parseScript(jsonOf(body?.toString('utf8') ?? ''))
    if (request.method === 'PUT') script.replace(rules)
    else script.add(rules)
  } catch (failure) {
    if (!(failure instanceof ScriptError)) throw failure
    return sendProblem(response, 400, 'Bad request', failure.message)
  }
  sendJson(response, 200, { rules: script.rules })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
