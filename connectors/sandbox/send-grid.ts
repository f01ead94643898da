/** SendGrid, for practice: a mail that would have been sent is kept for its reader. */

import type { Asked, StandIn } from './exchange.ts'
import { field, hasBearer, idOf, textField } from './exchange.ts'
import type { HandedOver } from './send-grid-events.ts'
import { Journal } from './journal.ts'
import type { Place } from './journal.ts'

/** A mail that would have been sent. */
export interface SandboxMail {
  readonly to: string
  readonly subject: string
  readonly text: string
  /** ISO 8601. */
  readonly sent_at: string
}

export interface SendGridStandIn extends StandIn {
  /** Newest last. Without an address the newest of all. */
  mails(to: string | null, limit: number): SandboxMail[]
  close(): void
}

const newestKept = 1_000

/** @param sent what becomes of a mail once it is kept */
export function sendGrid(
  path: string,
  now: () => number,
  sent: (mail: SandboxMail, told: HandedOver) => void = () => undefined,
): SendGridStandIn {
  const byAddress = new Map<string, Place[]>()
  const newest: Place[] = []
  let count = 0
  const journal = new Journal<SandboxMail>({
    path,
    maxBytes: 64 * 1024 * 1024,
    known: (mail, place) => {
      count += 1
      const to = mail.to.toLowerCase()
      const places = byAddress.get(to)
      if (places === undefined) byAddress.set(to, [place])
      else places.push(place)
      newest.push(place)
      if (newest.length > 2 * newestKept) newest.splice(0, newestKept)
    },
  })
  return {
    name: 'sendgrid',
    recognise: ({ method, path: asked }) =>
      method === 'POST' && asked === '/v3/mail/send' ? { operation: 'send', companies: [] } : null,
    answer(_operation, asked) {
      if (!hasBearer(asked)) return { status: 401, body: this.error(401) }
      const mail = mailIn(asked)
      if (typeof mail === 'string') return { status: 400, body: errorBody(mail) }
      const sent_at = new Date(now()).toISOString()
      const id = idOf(`${count} ${asked.body}`)
      for (const to of mail.to) {
        const received = { to, subject: mail.subject, text: mail.text, sent_at }
        journal.append(received)
        sent(received, { id, to, category: mail.category, custom: mail.custom })
      }
      return { status: 202, headers: { 'x-message-id': id }, body: '' }
    },
    error: (status) =>
      errorBody(status === 401 ? 'The provided authorization grant is invalid' : `The sandbox answers ${status}.`),
    mails(to, limit) {
      const places = to === null ? newest : (byAddress.get(to.toLowerCase()) ?? [])
      return places.slice(-limit).flatMap((place) => journal.read(place) ?? [])
    },
    close: () => journal.close(),
  }
}

const errorBody = (message: string): string => JSON.stringify({ errors: [{ message, field: null, help: null }] })

/** The message in a request, or what is wrong with it. */
function mailIn({
  json,
}: Asked):
  | (Pick<HandedOver, 'category' | 'custom'> &
      Pick<SandboxMail, 'subject' | 'text'> & { readonly to: readonly string[] })
  | string {
  const personalizations = field(json, 'personalizations')
  const groups = Array.isArray(personalizations) ? (personalizations as unknown[]) : []
  const to = groups.flatMap((group) => field(group, 'to')).map((address) => textField(address, 'email'))
  if (to.length === 0 || to.some((address) => address === null))
    return 'The personalizations field is required and must have a to address.'
  if (textField(field(json, 'from'), 'email') === null) return 'The from object must be provided for every email send.'
  const subject =
    textField(json, 'subject') ?? groups.map((group) => textField(group, 'subject')).find((text) => text !== null)
  if (subject == null) return 'The subject is required.'
  const content = field(json, 'content')
  const parts = Array.isArray(content) ? (content as unknown[]) : []
  const text = textField(
    parts.find((part) => textField(part, 'type') === 'text/plain'),
    'value',
  )
  return text === null
    ? 'The content value must be a string at least one character in length.'
    : {
        to: to as string[],
        subject,
        text,
        category: textsIn(field(json, 'categories')),
        custom: customIn([json, ...groups]),
      }
}

const textsIn = (list: unknown): string[] =>
  (Array.isArray(list) ? (list as unknown[]) : []).filter((one) => typeof one === 'string')

/** Custom arguments of the request, and over them those of who it is addressed to. */
const customIn = (levels: readonly unknown[]): Record<string, string> =>
  Object.fromEntries(
    levels.flatMap((level) =>
      Object.entries((field(level, 'custom_args') ?? {}) as object).filter(([, value]) => typeof value === 'string'),
    ),
  )
