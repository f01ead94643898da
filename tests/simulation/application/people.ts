/**
 * Everybody who wants something of the platform: companies that sign up (identity writes its outbox), clients that ask for
 * research, agents who decide what waits in the review queue. They look at the rows, as they would through the API.
 */

import { createOutbox, draft } from '../../../api/auth/index.ts'
import type { Draft, Party } from '../../../api/auth/index.ts'
import type { MemoryOutbox, OutboxRow } from '../../../api/relay/index.ts'
import type { Queryable } from '../../../connectors/postgres/index.ts'
import type { AnyEvent, EventTopic, Json } from '../../../schemas/index.ts'
import { authEvents, communicationEvents, researchEvents, reviewEvents } from '../../../schemas/index.ts'
import type { MemoryRow, MemoryTables } from '../../../sinks/index.ts'
import { reviewQueueTable } from '../../../sinks/projections/review-queue.ts'
import type { Clients, Wish } from './clients.ts'
import type { Company } from './companies.ts'
import type { Draw } from './draw.ts'

/** An event of identity's that comes once more by another way, straight to its topic. */
export interface Command {
  readonly topic: EventTopic
  readonly key: string
  readonly event: AnyEvent
}

interface Pending {
  readonly command: Command
  readonly dueAt: number
  /** Given to a process at this time; null when nobody has it. */
  takenAt: number | null
  sent: boolean
}

/** A process that took a command and said nothing for so long has died with it, in ms. */
const takenForMs = 4_000

export class People {
  readonly #draw: Draw
  readonly #companies: readonly Company[]
  readonly #outbox: MemoryOutbox
  readonly #tables: MemoryTables
  readonly #clients: Clients
  /** True time in ms: people do not live by the clock of a server. */
  readonly #now: () => number
  readonly #written = new Set<string>()
  readonly #pending = new Map<string, Pending>()
  readonly #judged = new Set<string>()
  /** Everything identity ever wrote, in order. */
  readonly put: (OutboxRow & { readonly id: string })[] = []
  #startedAt: number | null = null

  constructor(
    draw: Draw,
    companies: readonly Company[],
    edges: { readonly outbox: MemoryOutbox; readonly tables: MemoryTables; readonly clients: Clients },
    now: () => number,
  ) {
    const { outbox, tables, clients } = edges
    this.#clients = clients
    this.#now = now
    this.#draw = draw
    this.#companies = companies
    this.#outbox = outbox
    this.#tables = tables
  }

  /** What was sent straight to a topic and acknowledged. */
  get sentCommands(): readonly Command[] {
    return [...this.#pending.values()].filter(({ sent }) => sent).map(({ command }) => command)
  }

  /** A line about companies that did not sign up or verify yet; null when all have. */
  get unregistered(): string | null {
    const companies = this.#companies.filter(
      ({ organizationId, verifiesAt }) =>
        !this.#written.has(`${organizationId} signup`) ||
        (verifiesAt !== null && !this.#written.has(`${organizationId} verify`)),
    )
    return companies.length > 0 ? `${companies.length} companies have not signed up or verified yet` : null
  }

  /** A line about what is still to come; null when nobody wants anything more. */
  get waiting(): string | null {
    const { unregistered } = this
    if (unregistered !== null) return unregistered
    const unread = this.#openReviews().filter((row) => !this.#judged.has(String(row.key['review_id'])))
    if (unread.length > 0) return `${unread.length} reviews were not read yet`
    const unsent = [...this.#pending.values()].filter(({ sent }) => !sent)
    return unsent.length === 0 ? this.#clients.waiting : `${unsent.length} events were not repeated yet`
  }

  /**
   * Writes what came due to the outbox.
   * @param wallMs what time it is at the desk
   * @returns whether anything was written
   */
  write(wallMs: number): boolean {
    const now = this.#now()
    this.#startedAt ??= now
    const since = now - this.#startedAt
    const due = this.#companies.flatMap((company) => [
      ...(company.signsUpAt <= since ? [{ company, what: 'signup' as const }] : []),
      ...(company.verifiesAt !== null && company.verifiesAt <= since ? [{ company, what: 'verify' as const }] : []),
    ])
    const fresh = due.filter(({ company, what }) => !this.#written.has(`${company.organizationId} ${what}`))
    for (const { company, what } of fresh) {
      this.#written.add(`${company.organizationId} ${what}`)
      if (what === 'signup') this.#mistake(company, now)
      this.#decide(company, what === 'signup' ? this.#signup(company, wallMs) : verification(company), wallMs)
      if (what === 'verify') this.#later(company, now)
    }
    return fresh.length > 0
  }

  /** Looks at the tables, and gives what comes again, is due and nobody is sending to the caller. */
  take(): readonly Command[] {
    const now = this.#now()
    this.#judge(now)
    const due = [...this.#pending.values()].filter(
      ({ sent, dueAt, takenAt }) => !sent && dueAt <= now && (takenAt === null || now - takenAt > takenForMs),
    )
    for (const pending of due) pending.takenAt = now
    return due.map(({ command }) => command)
  }

  sent(commands: readonly Command[]): void {
    for (const command of commands) {
      const pending = this.#pending.get(command.event.event_id)
      if (pending !== undefined) pending.sent = true
    }
  }

  /** They went nowhere, as far as is known: whoever comes next sends them again. */
  failed(commands: readonly Command[]): void {
    for (const command of commands) {
      const pending = this.#pending.get(command.event.event_id)
      if (pending !== undefined) pending.takenAt = null
    }
  }

  #decide(company: Company, drafts: readonly Draft[], now: number): void {
    const { tenant, organizationId, userId } = company
    const about: Party = { tenantId: tenant.tenantId, organizationId, userId }
    let serial = 0
    const random = {
      bytes: () => Buffer.from(this.#draw.uuid(organizationId, drafts[0]!.type, serial++).replaceAll('-', ''), 'hex'),
    }
    void createOutbox(() => now, random).put(this.#statement(), about, drafts)
  }

  /** The one statement that identity writes its events with. */
  #statement(): Queryable {
    const query = (_: string, [json]: readonly [string]): Promise<{ rows: { id: string }[] }> => {
      const rows = JSON.parse(json) as Omit<OutboxRow, 'id'>[]
      const ids = this.#outbox.put(rows)
      rows.forEach((row, n) => this.put.push({ ...row, id: ids[n]! }))
      return Promise.resolve({ rows: ids.map((id) => ({ id })) })
    }
    return { query } as unknown as Queryable
  }

  #signup(company: Company, now: number): Draft[] {
    const { organizationId, userId, email, firstName, name, domain } = company
    const codeRef = `auth.codes:${this.#draw.uuid('code', organizationId)}`
    return [
      draft(authEvents, 'signup_requested', {
        email,
        password_hash_ref: `auth.users:${userId}`,
        company_name: name,
        first_name: firstName,
        last_name: firstName,
        domain,
      }),
      draft(authEvents, 'verification_code_issued', {
        user_id: userId,
        code_ref: codeRef,
        expires_at: now + 15 * 60_000,
      }),
      draft(communicationEvents, 'message_requested', {
        contact_id: userId,
        message_id: this.#draw.uuid('message', organizationId),
        purpose: 'transactional',
        channel: 'email',
        template: 'verify_email',
        data_ref: codeRef,
        dedupe_key: `verify_email:${codeRef}`,
        to: email,
        data: { first_name: firstName },
      }),
    ]
  }

  /** Decisions about reviews that there are not: a client that does not know better. */
  #mistake(company: Company, now: number): void {
    const { organizationId } = company
    for (let n = 0; n < 2; n++) {
      const about = `mistake ${n}`
      const review_id = this.#draw.uuid('no review', organizationId, n)
      const at = now + this.#draw.between(0, 8_000, about, organizationId)
      this.#clients.want(company, decisionOf({ company, review_id, decision: 'approve', about }), at)
    }
  }

  /** What follows a verification in time: events that come twice, and the client's own question. */
  #later(company: Company, now: number): void {
    const { organizationId, name, domain, asksAt, verifiesAt } = company
    for (const row of this.put.filter(({ event }) => event.organization_id === organizationId)) {
      if (!this.#draw.chance(0.15, 'again', row.event.event_id)) continue
      const topic = [authEvents, communicationEvents].find((one) => one.name === row.topic) as unknown as EventTopic
      const dueAt = now + this.#draw.between(0, 20_000, 'again at', row.event.event_id)
      this.#want({ topic, key: row.key, event: row.event }, dueAt)
    }
    if (asksAt === null || verifiesAt === null) return
    const depth = this.#draw.of(['quick', 'standard', 'deep'] as const, 'depth', organizationId)
    this.#clients.want(
      company,
      {
        topic: researchEvents as unknown as EventTopic,
        type: 'research_requested',
        payload: (mark) => ({ company_name: name, domain, depth, reason: `asked ${mark}` }),
        about: '',
      },
      now + asksAt - verifiesAt,
    )
  }

  /** Looks through the review queue for what nobody has decided about yet. */
  #judge(now: number): void {
    for (const row of this.#openReviews()) {
      const review = String(row.key['review_id'])
      if (this.#judged.has(review)) continue
      this.#judged.add(review)
      this.#decideOn(row, review, now)
    }
  }

  #openReviews(): readonly MemoryRow[] {
    return this.#tables.rows(reviewQueueTable).filter(({ values }) => values?.['status'] === 'open')
  }

  #decideOn(row: MemoryRow, review: string, now: number): void {
    const draw = this.#draw
    const company = this.#companies.find(({ organizationId }) => organizationId === row.values?.['organization_id'])
    if (company === undefined || draw.chance(0.15, 'never decided', review)) return
    const byResearch = row.values?.['requester'] === 'research'
    const decisions = byResearch ? (['approve', 'edit', 'reject'] as const) : (['approve', 'reject'] as const)
    const send = (n: number, decision: string, at: number, review_id = review): void => {
      const byClient = byResearch && review_id === review
      this.#clients.want(company, decisionOf({ company, review_id, decision, about: `${review} ${n}`, byClient }), at)
    }
    const at = now + draw.between(500, 15_000, 'decides at', review)
    if (draw.chance(0.15, 'escalates', review)) send(0, 'escalate', now)
    send(1, draw.of(decisions, 'decision', review), at)
    if (draw.chance(0.2, 'second', review))
      send(2, draw.of(decisions, 'second decision', review), at + draw.between(-200, 3_000, 'second at', review))
    if (draw.chance(0.1, 'unknown', review)) send(3, 'approve', at, draw.uuid('no review', review))
  }

  #want(command: Command, dueAt: number): void {
    this.#pending.set(command.event.event_id, { command, dueAt, takenAt: null, sent: false })
  }
}

interface Decision {
  readonly company: Company
  readonly review_id: string
  readonly decision: string
  readonly about: string
  /** Unless told, an agent of ours decides. */
  readonly byClient?: boolean
}

/** A company says yes or no to its own findings; corrections, and everything else, are said at the review itself. */
const decisionOf = ({ company, review_id, decision, about, byClient = false }: Decision): Wish => ({
  byAgent: !byClient || decision === 'edit',
  topic: reviewEvents as unknown as EventTopic,
  type: 'review_decision_requested',
  payload: (mark) => ({
    review_id,
    decision,
    edits: decision === 'edit' ? edits(company) : null,
    comment: `Said ${company.tenant.secret} ${mark}`,
  }),
  about,
})

const edits = ({ name }: Company): Json => ({
  company_info: { summary: `${name}, as a person knows it.` },
  competitor: [1, 2, 3].map((n) => ({ name: `Known rival ${n} of ${name}` })),
})

function verification({ userId, name, domain }: Company): Draft[] {
  return [
    draft(authEvents, 'email_verified', { user_id: userId }),
    draft(authEvents, 'organization_created', {
      company_name: name,
      domain,
      industry: 'Logistics',
      owner_user_id: userId,
    }),
    draft(authEvents, 'member_added', { user_id: userId, role: 'owner' }),
  ]
}
