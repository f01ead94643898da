/**
 * Clients of `POST /events`. Each request goes out one to five times under its idempotency key: at once, later, at any
 * process, again and again until it was answered. Some are sent with another body under the same key, and tenants use the
 * same keys, each for itself. What they were answered is kept for the checks.
 */

import type { Principal, Receipt } from '../../../api/index.ts'
import type { EventTopic } from '../../../schemas/index.ts'
import type { Company } from './companies.ts'
import type { Draw } from './draw.ts'

/** One body under one key. */
export interface ClientRequest {
  readonly principal: Principal
  /** Undefined: sent without one. */
  readonly key: string | undefined
  readonly body: unknown
  /** Stands in the payload of its event, and in no other of the tenant. */
  readonly mark: string
}

export type ClientAnswer = Receipt | { readonly refused: number; readonly code: string }

/** One time that a client sends a request. It is repeated when no answer came, or the answer was to try again. */
export interface Sending {
  readonly request: ClientRequest
  dueAt: number
  /** Taken by a process at this time. */
  takenAt: number | null
  /** How often it went out. */
  tries: number
  readonly answers: ClientAnswer[]
  done: boolean
}

/** What a client wants to happen; the mark stands where the text says `$`. */
export interface Wish {
  readonly topic: EventTopic
  readonly type: string
  payload(mark: string): Readonly<Record<string, unknown>>
  /** An agent of ours wishes it, who looks after the company: a command, as the review's own door makes it. */
  readonly byAgent?: boolean
  /** Names the wish among those of its company. */
  readonly about: string
}

/** A client hangs up after so long without an answer, in ms. */
const patienceMs = 4_000

export class Clients {
  readonly sendings: Sending[] = []
  readonly #draw: Draw
  readonly #now: () => number
  readonly #keys = new Map<string, number>()

  constructor(draw: Draw, now: () => number) {
    this.#draw = draw
    this.#now = now
  }

  /** A line about what is still to come; null when everybody was answered. */
  get waiting(): string | null {
    const open = this.sendings.filter(({ done }) => !done)
    return open.length === 0 ? null : `${open.length} requests of clients were not answered yet`
  }

  want(company: Company, wish: Wish, dueAt: number): void {
    const draw = this.#draw
    const { tenantId } = company.tenant
    const about = `${company.organizationId} ${wish.type} ${wish.about}`
    const serial = (this.#keys.get(tenantId) ?? 0) + 1
    this.#keys.set(tenantId, serial)
    const key = draw.chance(0.1, 'without a key', about) ? undefined : `request-${serial}`
    const send = (mark: string, at: number): void =>
      this.#send(
        { principal: wish.byAgent === true ? agentOf(company) : ownerOf(company), key, body: bodyOf(wish, mark), mark },
        at,
      )
    const within = draw.of([50, 1_000, 10_000], 'within', about)
    const times = key === undefined ? 1 : draw.between(1, 5, 'times', about)
    for (let n = 0; n < times; n++)
      send(`under ${serial}a`, dueAt + (n === 0 ? 0 : draw.between(0, within, 'repeated after', about, n)))
    if (key === undefined || !draw.chance(0.2, 'another body', about)) return
    send(`under ${serial}b`, dueAt + draw.between(-100, within, 'another body after', about))
  }

  /** What is due and goes to the process that asks. */
  take(): readonly Sending[] {
    const now = this.#now()
    const due = this.sendings.filter(
      ({ done, dueAt, takenAt }) => !done && dueAt <= now && (takenAt === null || now - takenAt > patienceMs),
    )
    for (const sending of due) {
      sending.takenAt = now
      sending.tries++
    }
    return due
  }

  answered(sending: Sending, answer: ClientAnswer): void {
    sending.answers.push(answer)
    sending.done ||= !('refused' in answer) || answer.refused < 500
    sending.takenAt = null
    sending.dueAt = this.#now() + 200
  }

  #send(request: ClientRequest, dueAt: number): void {
    this.sendings.push({ request, dueAt, takenAt: null, tries: 0, answers: [], done: false })
  }
}

const bodyOf = ({ topic, type, payload }: Wish, mark: string): unknown => ({
  topic: topic.name,
  type,
  payload: payload(mark),
})

const ownerOf = ({ tenant: { tenantId }, organizationId, userId }: Company): Principal => ({
  kind: 'user',
  tenantId,
  organizationId,
  userId,
  userType: 'client',
  role: 'owner',
  sessionId: userId,
  tokenId: userId,
})

const agentOf = (company: Company): Principal =>
  ({ ...ownerOf(company), userType: 'agent', role: 'agent' }) as Principal
