/**
 * Stripe, for practice: customers, subscriptions, invoices, refunds and usage as the official library takes them, and
 * webhooks about everything that happens. What people and banks do stands in `stripe-life.ts`.
 *
 * An idempotency key is good for its parameters, and for a day: the same ones are answered as the first time
 * (`idempotent-replayed`), others are refused, and while the first call is still being answered a second one is (409).
 */

import { createHash, createHmac } from 'node:crypto'
import { join } from 'node:path'
import { DayRecords } from './day-records.ts'
import type { Signer } from './deliveries.ts'
import type { Answer, Asked, StandIn, StandInContext } from './exchange.ts'
import { hasBearer, jsonAnswer } from './exchange.ts'
import { Records } from './records.ts'
import type { SandboxRule } from './script.ts'
import type { Account, Kept, KeptAnswer } from './stripe-account.ts'
import { parseForm } from './stripe-form.ts'
import { StripeLife } from './stripe-life.ts'
import type { Books, Shared } from './stripe-routes.ts'
import { Refusal, routes } from './stripe-routes.ts'

const toleranceS = 300
const dayS = 24 * 60 * 60

export function stripe(context: StandInContext): StandIn {
  const accounts = new Records<Account>(join(context.directory, 'stripe-accounts.ndjson'))
  const shared = new Records<Shared>(join(context.directory, 'stripe-shared.ndjson'))
  const keys = new DayRecords<Kept>(join(context.directory, 'stripe-keys.ndjson'), context.now)
  const reports = new DayRecords<string>(join(context.directory, 'stripe-reports.ndjson'), context.now)
  const holders = new Map<string, string>()
  const index = (account: Account): void => {
    for (const id of [...Object.keys(account.subscriptions), ...Object.keys(account.invoices)])
      holders.set(id, account.id)
  }
  for (const account of accounts.values()) index(account)
  const books: Books = {
    accounts,
    shared,
    reports,
    life: new StripeLife(context, accounts),
    holderOf(id) {
      if (!holders.has(id)) for (const account of accounts.values()) index(account)
      return accounts.get(holders.get(id) ?? '') ?? null
    },
  }
  context.deliveries.signer('stripe', signer(context.webhookSecret))
  const inFlight = new Map<string, number>()
  return {
    name: 'stripe',
    recognise(asked) {
      const found = routeOf(asked)
      return found === null ? null : { operation: found.route.operation, companies: companiesOf(books, asked) }
    },
    answer: (_operation, asked, _told, rule) => answered({ books, keys, inFlight }, asked, rule),
    error: scriptedError,
    close() {
      for (const records of [accounts, shared, keys, reports]) records.close()
    },
  }
}

function scriptedError(status: number): string {
  const told: Readonly<Record<number, object>> = {
    402: { type: 'card_error', code: 'card_declined', decline_code: 'insufficient_funds' },
    409: { type: 'idempotency_error', code: 'idempotency_key_in_use' },
    429: { type: 'invalid_request_error', code: 'rate_limit' },
  }
  const other = { type: status >= 500 ? 'api_error' : 'invalid_request_error' }
  return JSON.stringify({ error: { ...(told[status] ?? other), message: `Scripted answer ${status}.` } })
}

/** Only a POST carries its parameters in the body. */
const formOf = ({ method, query, body }: Asked) => parseForm(method === 'POST' ? body : query.toString())

function routeOf({ method, path }: Asked) {
  for (const route of routes) {
    const found = route.method === method ? route.path.exec(path) : null
    if (found !== null) return { route, ids: found.slice(1) }
  }
  return null
}

/** The customer that a call is about: named in it, or holding what it names. */
function companiesOf(books: Books, asked: Asked): readonly string[] {
  const form = formOf(asked)
  const named = [form['customer'], form['invoice'], ...(routeOf(asked)?.ids ?? [])].flatMap((value) =>
    typeof value === 'string' ? [books.accounts.get(value) ?? books.holderOf(value)] : [],
  )
  const account = named.find((found) => found !== null)
  if (account != null) return books.life.companiesOf(account)
  const { name, email } = form
  return [name, typeof email === 'string' ? email.slice(email.indexOf('@') + 1) : undefined].flatMap((value) =>
    typeof value === 'string' ? [value] : [],
  )
}

interface Kitchen {
  readonly books: Books
  readonly keys: DayRecords<Kept>
  /** Keys whose first call is still being answered, until when in real ms. */
  readonly inFlight: Map<string, number>
}

function answered({ books, keys, inFlight }: Kitchen, asked: Asked, rule: SandboxRule | null): Answer {
  if (!hasBearer(asked))
    return refusal(new Refusal(401, '', 'You did not provide an API key.'), 'invalid_request_error')
  const key = asked.method === 'POST' ? String(asked.headers['idempotency-key'] ?? '') : ''
  const fingerprint = createHash('sha256').update(`${asked.path}\n${asked.body}`).digest('hex')
  const kept = key === '' ? undefined : keys.get(key)
  if (key !== '' && (inFlight.get(key) ?? 0) > performance.now())
    return refusal(
      new Refusal(409, 'idempotency_key_in_use', 'There is another request in progress with this key.'),
      'idempotency_error',
    )
  if (kept !== undefined && kept.fingerprint !== fingerprint)
    return refusal(
      new Refusal(400, '', 'Keys for idempotent requests can only be used with the same parameters.'),
      'idempotency_error',
    )
  if (kept?.answer != null) return wire(kept.answer, { 'idempotent-replayed': 'true' })
  if (key === '') return wire(attempted(books, asked, `${asked.path}${asked.body}${books.accounts.size}`))
  const seed = kept?.seed ?? `${key} ${Math.floor(books.life.seconds / dayS)}`
  keys.put(key, { fingerprint, seed, answer: null })
  const answer = attempted(books, asked, seed)
  keys.put(key, { fingerprint, seed, answer })
  if (rule?.delay_ms !== undefined) inFlight.set(key, performance.now() + rule.delay_ms)
  return wire(answer)
}

function attempted(books: Books, asked: Asked, seed: string): KeptAnswer {
  const found = routeOf(asked)
  const form = formOf(asked)
  try {
    const value = found?.route.answer({ books, form, ids: found.ids, seed })
    return { status: 200, body: JSON.stringify(value) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { status, body } = refusal(error, 'invalid_request_error')
    return { status, body: String(body) }
  }
}

const wire = ({ status, body }: KeptAnswer, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', 'request-id': 'req_sandbox', ...headers },
  body,
})

const refusal = ({ status, code, message }: Refusal, type: string): Answer =>
  jsonAnswer(status, { error: { type, message, ...(code === '' ? {} : { code }) } }, { 'request-id': 'req_sandbox' })

/** `t=…,v1=…`; a fault makes it one that must be refused. */
const signer =
  (secret: string): Signer =>
  (raw, nowMs, fault) => {
    const shift = fault === 'stale' ? -2 * toleranceS : fault === 'future' ? 2 * toleranceS : 0
    const t = Math.floor(nowMs / 1000) + shift
    const by = fault === 'wrong' ? `${secret}-another` : secret
    const signature = createHmac('sha256', by).update(`${t}.`).update(raw).digest('hex')
    return { 'stripe-signature': `t=${t},v1=${signature}` }
  }
