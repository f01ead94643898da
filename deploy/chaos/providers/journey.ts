/** A planned company's way through the platform, as its people see it, from sign-up to the end of its lifecycle. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Acquired } from '../../../examples/acquire/acquisition.ts'
import { acquire } from '../../../examples/acquire/acquisition.ts'
import type { House } from '../../../examples/acquire/house.ts'
import type { Client } from '../../../examples/acquire/http.ts'
import { Person, decideAll, standingOf } from '../../../examples/acquire/lifecycle.ts'
import type { PlannedCompany } from './plan.ts'

export interface JourneyOptions {
  readonly client: Client
  /** Who decides for us. */
  readonly house: House
  /** When to give up, in ms since the epoch. */
  readonly deadlineAt: number
  /** True once the contract that is to be changed is out for signature. */
  readonly mayChange: () => boolean
  /** The wish for another one is taken. */
  readonly changed: () => void
}

export interface Traveller {
  readonly planned: PlannedCompany
  readonly acquired: Acquired
  readonly tenantId: string
  readonly end: string
  /** Decides what still waits for a person. */
  decide(): Promise<void>
}

const lookEveryMs = 250
const looksAtAll = 6
const password = 'chaos: one password for the whole run'

/** @throws Error when it comes to no end in time */
export async function travel(planned: PlannedCompany, options: JourneyOptions): Promise<Traveller> {
  const { client, house, deadlineAt, mayChange, changed } = options
  const { company, domain } = planned
  const applicant = { company, domain, email: `ada@${domain}`, toReview: false }
  const acquired = await acquire(applicant, { client, password, deadlineAt, pollMs: 400 })
  await house.lookAfter([acquired])
  const person = new Person(acquired, { client, password })
  const decide = async (): Promise<void> => void (await decideAll(person, house.agent, acquired.organizationId))
  let reason = ''
  for (let looks = 0; Date.now() < deadlineAt; looks++) {
    await sleep(lookEveryMs)
    if (mayChange() && (await changeContract(person, acquired.organizationId))) changed()
    // Who looks all the time takes the platform's time from it.
    if (looks % looksAtAll !== 0) continue
    await decide()
    const standing = await standingOf(person, acquired)
    reason = standing.reason
    const end = standing.end === 'other' ? standing.reason : standing.end
    if (end !== null) return { planned, acquired, tenantId: await tenantOf(person), end, decide }
  }
  throw new Error(`${domain} came to no end in time: ${reason}`)
}

async function tenantOf(person: Person): Promise<string> {
  const { body } = await person.ask({ path: '/api/v1/profile' })
  return (body as { organization: { tenant_id: string } }).organization.tenant_id
}

/** Asks for other figures once we see that the contract is out. @returns whether the wish was taken */
async function changeContract(person: Person, organizationId: string): Promise<boolean> {
  const list = await person.ask({ path: `/api/v1/documents?organization_id=${organizationId}` })
  const { items } = list.body as { items?: readonly { readonly document_type: string; readonly status: string }[] }
  const contract = items?.find(({ document_type }) => document_type === 'contract')
  if (contract?.status !== 'sent') return false
  const event = {
    topic: 'document_events',
    type: 'document_requested',
    payload: { document_type: 'contract', inputs: { seats: '40' }, reason: 'negotiated' },
  }
  const idempotencyKey = `change ${organizationId}`
  const answer = await person.ask({ method: 'POST', path: '/api/v1/events', json: event, idempotencyKey })
  if (answer.status !== 202) throw new Error(`document_requested: status ${answer.status}`)
  return true
}
