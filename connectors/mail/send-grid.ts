/**
 * SendGrid: `send` renders a message and posts it to `/v3/mail/send`. There is no idempotency key, so a crash between
 * sending and committing may send a mail twice; our message id travels in `custom_args` and comes back in every event.
 *
 *   request  { template, message_id, data_ref, to, data }
 *   output   { provider_id }
 *
 * What a mail carries in secret (a code) is read by its reference at the moment of sending and is in no event.
 */

import { z } from 'zod'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'
import type { Template } from './templates.ts'
import { render, templates as ourTemplates } from './templates.ts'

export interface SendGridSettings {
  readonly baseUrl: string
  readonly apiKey: string
  readonly from: { readonly email: string; readonly name?: string }
  readonly mode: Provider['mode']
  readonly timeoutMs: number
  /** Token bucket of the account; unlimited unless told. */
  readonly rate?: Provider['rate']
  /** Sends in flight at once; 32 unless told. */
  readonly concurrency?: number
  /** What a reference stands for: the address and the template's values. Null when it stands for nothing any more. */
  readonly resolve: (tenantId: string, dataRef: string) => Promise<Readonly<Record<string, unknown>> | null>
  readonly templates?: Readonly<Record<string, Template>>
  /** Wall clock in ms, for a `retry-after` that is a date. */
  readonly now?: () => number
}

const request = z.object({
  template: z.string(),
  message_id: z.string(),
  contact_id: z.string().nullish(),
  data_ref: z.string().nullish(),
  to: z.string().nullish(),
  data: z.record(z.string(), z.unknown()).nullish(),
})

export function sendGridProvider(settings: SendGridSettings): Provider {
  return Object.freeze({
    name: 'sendgrid',
    account: settings.mode,
    mode: settings.mode,
    repeat: 'may-repeat' as const,
    rate: settings.rate ?? null,
    concurrency: settings.concurrency ?? 32,
    timeoutMs: settings.timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      if (call.operation !== 'send') return refused('sendgrid has no such operation')
      const asked = request.safeParse(call.request)
      if (!asked.success) return refused('the request is not a message')
      const message = await compose(settings, call.tenantId, asked.data)
      if ('class' in message) return message
      const { contact_id } = asked.data
      const known = { tenant_id: call.tenantId, organization_id: call.organizationId }
      const told = contact_id == null ? {} : { ...known, contact_id }
      return post(settings, { ...message, told }, call.signal)
    },
  })
}

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

interface Message {
  readonly id: string
  readonly template: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

interface AddressedMessage extends Message {
  /** Comes back in every event about it: whose message it is. */
  readonly told: Readonly<Record<string, string>>
}

async function compose(
  settings: SendGridSettings,
  tenantId: string,
  asked: z.infer<typeof request>,
): Promise<Message | CallOutcome> {
  const template = (settings.templates ?? ourTemplates)[asked.template]
  if (template === undefined) return refused('the template is not known')
  let referred: Readonly<Record<string, unknown>> | null = {}
  try {
    if (asked.data_ref != null) referred = await settings.resolve(tenantId, asked.data_ref)
  } catch {
    return { class: 'retry', status: 0, output: null, error: 'what the message carries could not be read' }
  }
  if (referred === null) return refused('what the message carries is not there any more')
  const to = asked.to ?? referred['to']
  if (typeof to !== 'string' || to === '') return refused('the message has no address')
  const rendered = render(template, { ...referred, ...asked.data })
  if (rendered.kind === 'missing') return refused(`the template needs a value for ${rendered.name}`)
  return { id: asked.message_id, template: asked.template, to, subject: rendered.subject, text: rendered.text }
}

async function post(settings: SendGridSettings, message: AddressedMessage, signal: AbortSignal): Promise<CallOutcome> {
  const http = await httpCall({
    method: 'POST',
    url: `${settings.baseUrl}/v3/mail/send`,
    headers: { authorization: `Bearer ${settings.apiKey}` },
    json: wireMessage(settings, message),
    timeoutMs: settings.timeoutMs,
    maxBytes: 64 * 1024,
    signal,
  })
  if (http.kind === 'answer' && http.status === 202) {
    const provider_id = http.headers.get('x-message-id') ?? message.id
    return { class: 'ok', status: 202, output: { provider_id }, costMicrodollars: 0 }
  }
  const now = (settings.now ?? Date.now)()
  return failedOutcome(
    'sendgrid',
    http,
    now,
    http.kind === 'answer' && outOfCredits(http.body) ? { named: 'quota' } : {},
  )
}

function wireMessage(settings: SendGridSettings, message: AddressedMessage): unknown {
  return {
    personalizations: [{ to: [{ email: message.to }], custom_args: { ...message.told, message_id: message.id } }],
    from: settings.from,
    subject: message.subject,
    content: [{ type: 'text/plain', value: message.text }],
    categories: [message.template],
    // Rewritten links and a hidden picture have no place in a message that carries a code.
    tracking_settings: { click_tracking: { enable: false, enable_text: false }, open_tracking: { enable: false } },
  }
}

const errors = z.object({ errors: z.array(z.object({ message: z.string() })) })

/** SendGrid answers 401 both for a wrong key and for an empty account; only its words tell them apart. */
function outOfCredits(body: string): boolean {
  const read = errors.safeParse(parseJson(body))
  return read.success && read.data.errors.some(({ message }) => message.toLowerCase().includes('credits exceeded'))
}
