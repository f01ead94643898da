/**
 * Whether anything was done twice, by what the providers themselves hold. Each finding names the run it belongs to, by a domain or
 * an organization; `run.ts` adds the seed and the calls.
 *
 *   PF1  a version of a document has one envelope, made once; the next one is made when the one before has ended
 *   PF2  an organization has one customer; a contract has one subscription, and no company two that run
 *   PF3  a subscription's period has one invoice; no invoice is paid beyond what is due, or given back twice or beyond its payment
 *   PF4  what was used is counted once
 *   PF5  a key of ours is never used for something else
 *   PF6  an analytics event has one $insert_id, and is held once
 *   PF7  an envelope is voided once
 *   PF8  each company comes to the end that its people lead it to
 *   PF9  our projections say what the providers hold
 */

import type { Evidence, EnvelopeSeen, CustomerSeen, InvoiceSeen } from './evidence.ts'
import type { Held } from './held.ts'

/** What a company of the runs was to come to, and came to. */
export interface CompanyEnd {
  readonly domain: string
  readonly organizationId: string
  /** One of these. */
  readonly wanted: readonly string[]
  readonly came: string
  /** What it used, by meter: reported in the end. */
  readonly used: Readonly<Record<string, number>>
}

export interface Finding {
  /** What the finding is about: calls are looked up by it. */
  readonly domain: string
  readonly words: string
}

const grouped = <T>(list: readonly T[], by: (one: T) => string): Map<string, T[]> => Map.groupBy(list, by)
const twice = <T>(list: readonly T[], by: (one: T) => string): [string, T[]][] =>
  [...grouped(list, by)].filter(([, of]) => of.length > 1)

export function judge(evidence: Evidence, ends: readonly CompanyEnd[], held: Held | null): Finding[] {
  return [
    ...envelopesOnce(evidence),
    ...voidedOnce(evidence),
    ...customersOnce(evidence),
    ...evidence.customers.flatMap(subscriptionsOnce),
    ...evidence.customers.flatMap(invoicesOnce),
    ...usageOnce(evidence, ends),
    ...keysOnce(evidence),
    ...importedOnce(evidence),
    ...ends.flatMap((end) => asWanted(evidence, end, held?.withheld ?? new Set())),
    ...(held === null ? [] : projected(evidence, held)),
  ]
}

/** PF1 */
function envelopesOnce({ envelopes, calls }: Evidence): Finding[] {
  const found: Finding[] = []
  for (const [place, of] of twice(envelopes, ({ documentId, version }) => `${documentId} v${version}`))
    found.push(
      about(of[0]!, `${of.length} envelopes for ${place}: ${of.map(({ envelopeId }) => envelopeId).join(', ')}`),
    )
  for (const [documentId, of] of grouped(envelopes, (envelope) => envelope.documentId)) {
    const inTurn = of.toSorted((a, b) => a.version - b.version)
    for (const [index, later] of inTurn.entries()) {
      const before = inTurn[index - 1]
      if (before === undefined || before.version === later.version) continue
      if (before.status !== 'voided' && before.status !== 'declined')
        found.push(
          about(
            later,
            `envelope of ${documentId} v${before.version} is ${before.status}, and v${later.version} was made`,
          ),
        )
      const made = calls.find(
        ({ operation, key, status }) =>
          operation === 'create_envelope' && key === later.transactionId && status === 201,
      )
      const ended = calls.find(
        ({ operation, key, status }) =>
          operation === 'void_envelope' && key.includes(before.envelopeId) && status === 200,
      )
      if (made !== undefined && ended !== undefined && made.n < ended.n)
        found.push(
          about(later, `envelope of ${documentId} v${later.version} was made while v${before.version} was live`),
        )
    }
  }
  return found
}

const about = ({ domain }: EnvelopeSeen, words: string): Finding => ({ domain, words: `PF1 ${words}` })

/** PF7 */
function voidedOnce({ calls }: Evidence): Finding[] {
  const done = calls.filter(({ operation, status }) => operation === 'void_envelope' && status === 200)
  return twice(done, ({ key }) => key.split(' ')[1] ?? '').map(([path, of]) => ({
    domain: of[0]!.companies.at(-1) ?? '',
    words: `PF7 ${path} was voided ${of.length} times`,
  }))
}

/** PF2 */
function customersOnce({ customers }: Evidence): Finding[] {
  return twice(customers, ({ organizationId }) => organizationId).map(([organizationId, of]) => ({
    domain: of[0]!.domain,
    words: `PF2 ${of.length} customers for organization ${organizationId}: ${of.map(({ id }) => id).join(', ')}`,
  }))
}

const runs: ReadonlySet<string> = new Set(['incomplete', 'active', 'past_due', 'unpaid'])

function subscriptionsOnce({ domain, subscriptions }: CustomerSeen): Finding[] {
  const found = twice(subscriptions, ({ documentId }) => documentId).map(([documentId, of]) => ({
    domain,
    words: `PF2 ${of.length} subscriptions for contract ${documentId}: ${of.map(({ id }) => id).join(', ')}`,
  }))
  const running = subscriptions.filter(({ status }) => runs.has(status))
  if (running.length > 1) found.push({ domain, words: `PF2 ${running.length} subscriptions run at once` })
  return found
}

/** PF3 */
function invoicesOnce({ domain, invoices }: CustomerSeen): Finding[] {
  const found = twice(invoices, ({ subscription, periodStart }) => `${subscription} from ${periodStart}`).map(
    ([place, of]) => ({ domain, words: `PF3 ${of.length} invoices for ${place}` }),
  )
  return [...found, ...invoices.flatMap((invoice) => moneyOnce(invoice).map((words) => ({ domain, words })))]
}

function moneyOnce({ id, due, paid, refunded, refundIds }: InvoiceSeen): string[] {
  const found: string[] = []
  if (paid > due) found.push(`PF3 ${id}: ${paid} paid of ${due}`)
  if (refundIds.length > 1) found.push(`PF3 ${id}: given back ${refundIds.length} times`)
  if (refunded > paid) found.push(`PF3 ${id}: ${refunded} given back of ${paid}`)
  return found
}

/** PF4 */
function usageOnce({ meterEvents, customers }: Evidence, ends: readonly CompanyEnd[]): Finding[] {
  const found: Finding[] = twice(meterEvents, ({ identifier }) => identifier).map(([identifier]) => ({
    domain: '',
    words: `PF4 ${identifier} is counted twice`,
  }))
  for (const { domain, organizationId, used } of ends) {
    const customer = customers.find((known) => known.organizationId === organizationId)
    for (const [meter, quantity] of Object.entries(used)) {
      const counted = meterEvents
        .filter((event) => event.customerId === customer?.id && event.meter === meter)
        .reduce((sum, { value }) => sum + value, 0)
      if (counted !== quantity) found.push({ domain, words: `PF4 ${counted} ${meter} counted, ${quantity} used` })
    }
  }
  return found
}

/** PF5 */
function keysOnce({ calls }: Evidence): Finding[] {
  const keyed = calls.filter(
    ({ provider, operation, key }) =>
      (provider === 'stripe' && !key.includes(' ')) || (provider === 'docusign' && operation === 'create_envelope'),
  )
  return twice(keyed, ({ provider, operation, key }) => `${provider} ${operation} ${key}`).flatMap(([name, of]) => {
    const different = new Set(of.map(({ fingerprint }) => fingerprint)).size
    // What an envelope says beside its transaction is looked up again each time, so only the payment service compares.
    if (different === 1 || of[0]!.provider === 'docusign') return []
    return [
      { domain: of[0]!.companies.at(-1) ?? '', words: `PF5 ${name} was used for ${different} different requests` },
    ]
  })
}

/** PF6 */
function importedOnce({ imported }: Evidence): Finding[] {
  return twice(imported, ({ insertId }) => insertId).map(([insertId, of]) => ({
    domain: '',
    words: `PF6 $insert_id ${insertId} is held ${of.length} times: ${of.map(({ event }) => event).join(', ')}`,
  }))
}

/** PF8: the end, and what must be there with it. */
function asWanted({ customers, envelopes }: Evidence, end: CompanyEnd, withheld: Held['withheld']): Finding[] {
  const { domain, organizationId, wanted, came } = end
  const find = (words: string): Finding => ({ domain, words: `PF8 ${words}` })
  if (!wanted.includes(came)) return [find(`came to ${came}; wanted ${wanted.join(' or ')}`)]
  const customer = customers.find((known) => known.organizationId === organizationId)
  const running = customer?.subscriptions.filter(({ status }) => runs.has(status)) ?? []
  const live = envelopes.filter((one) => one.organizationId === organizationId && isLive(one))
  const found = live.map(({ envelopeId, status }) => find(`envelope ${envelopeId} is ${status} in the end`))
  if (came === 'paid' && (running.length !== 1 || running[0]!.status !== 'active'))
    found.push(find(`paid, and ${running.length} subscriptions run: ${running.map(({ status }) => status).join(', ')}`))
  if (came !== 'paid' && running.length > 0) found.push(find(`${came}, and subscription ${running[0]!.id} runs`))
  const kept = came === 'paid' ? [] : (customer?.invoices ?? [])
  for (const { id, status, paid, refunded } of kept) {
    if (status === 'open') found.push(find(`invoice ${id} is open in the end`))
    if (paid > 0 && refunded === 0 && !withheld.has(id))
      found.push(find(`invoice ${id} was paid and nothing is given back`))
  }
  return found
}

const isLive = ({ status }: EnvelopeSeen): boolean => status === 'sent' || status === 'delivered'

/** PF9 */
function projected({ envelopes, customers }: Evidence, held: Held): Finding[] {
  const words = (what: string, there: string, ours: string): string => `PF9 ${what}: ${there} there, ${ours} here`
  const found: Finding[] = []
  const compare = (domain: string, what: string, there: string, ours: string | undefined): void => {
    if (ours !== there) found.push({ domain, words: words(what, there, ours ?? 'nothing') })
  }
  for (const { envelopeId, documentId, version, domain } of envelopes)
    compare(
      domain,
      `envelope of ${documentId} v${version}`,
      envelopeId,
      held.envelopes.get(`${documentId} v${version}`),
    )
  for (const { id: customer, domain, subscriptions, invoices } of customers) {
    for (const { id, status } of subscriptions) {
      const there = status === 'incomplete_expired' ? 'canceled' : status
      compare(domain, `subscription ${id}`, `${there} of ${customer}`, held.subscriptions.get(id))
    }
    for (const { id, status, paid, refunded } of invoices)
      compare(domain, `invoice ${id}`, `${status}, ${paid} paid, ${refunded} given back`, held.invoices.get(id))
  }
  const known = {
    envelopes: new Set(envelopes.map(({ envelopeId }) => envelopeId)),
    invoices: new Set(customers.flatMap(({ invoices }) => invoices.map(({ id }) => id))),
    subscriptions: new Set(customers.flatMap(({ subscriptions }) => subscriptions.map(({ id }) => id))),
  }
  for (const [place, id] of held.envelopes)
    if (!known.envelopes.has(id)) found.push({ domain: '', words: words(`envelope of ${place}`, 'nothing', id) })
  for (const kind of ['invoices', 'subscriptions'] as const)
    for (const id of held[kind].keys())
      if (!known[kind].has(id)) found.push({ domain: '', words: words(`${kind} ${id}`, 'nothing', 'a row') })
  return found
}

/** What happened more than once where it may: counted, and told. */
export interface Repeats {
  /** The same mail to the same person. */
  readonly mails: number
  /** The same question to a model or a researcher, answered again. */
  readonly questions: number
}

export function repeats({ mails, calls }: Evidence): Repeats {
  const again = <T>(list: readonly T[], by: (one: T) => string): number =>
    twice(list, by).reduce((sum, [, of]) => sum + of.length - 1, 0)
  const asked = calls.filter(({ provider, status }) => questioned.has(provider) && status === 200)
  return {
    mails: again(mails, ({ to, subject, text }) => `${to}\n${subject}\n${text}`),
    questions: again(asked, ({ provider, operation, fingerprint, companies }) =>
      [provider, operation, fingerprint, ...companies].join('\n'),
    ),
  }
}

const questioned: ReadonlySet<string> = new Set(['openai', 'anthropic', 'perplexity', 'webscraper'])
