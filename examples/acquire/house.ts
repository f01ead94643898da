/**
 * The seller's side of a run. What we charge, give back and try again is decided by people of ours, so a run has an agent: made as
 * `npm run admin -- agent create` makes one, looking after the run's companies, and gone when the run is over.
 */

import { randomBytes } from 'node:crypto'
import type { Acquired } from './acquisition.ts'
import { expectStatus, Refused } from './acquisition.ts'
import type { Admin } from './admin.ts'
import type { Client } from './http.ts'
import { Person } from './lifecycle.ts'

export interface House extends AsyncDisposable {
  readonly agent: Person
  /** From now on the agent sees these companies, and decides for them. @throws Refused for one that it may not have */
  lookAfter(acquired: readonly Acquired[]): Promise<void>
}

export interface HouseOptions {
  readonly client: Client
  /** Of the instance that `client` asks. */
  readonly admin: Admin
}

/** One for all runs, so that a run may have the companies of one that was interrupted. */
const team = 'example:acquire'
const remedy = 'name the directory of the instance, as in DATA_DIR=… npm run example:acquire -- --until paid'

/** @throws Refused in one line, when nothing answers in the directory, or another instance does */
export async function openHouse({ client, admin }: HouseOptions): Promise<House> {
  const email = `acquire-${randomBytes(6).toString('hex')}@house.example`
  const lines = await admin('agent', 'create', email, 'Example', 'Run', team, 'supervisor').catch((error: unknown) => {
    throw new Refused(
      `no agent to decide for us (${error instanceof Error ? error.message : String(error)}): ${remedy}`,
    )
  })
  const password = /^password, .*: (\S+)$/.exec(lines.at(-1) ?? '')?.[1]
  if (password === undefined) throw new Refused('"agent create" says no password')
  const login = await client({ method: 'POST', path: '/api/v1/auth/login', json: { email, password } })
  if (login.status === 401) throw new Refused(`another instance than this one has made our agent: ${remedy}`)
  expectStatus(login, [200], 'login of our agent')
  const token = (login.body as { access_token: string }).access_token
  const agent = new Person({ applicant: { email }, token }, { client, password })
  const me = await agent.ask({ path: '/api/v1/profile' })
  expectStatus(me, [200], 'profile of our agent')
  const { user_id } = me.body as { user_id: string }
  return {
    agent,
    async lookAfter(acquired) {
      for (const { applicant, organizationId } of acquired) {
        const json = { organization_id: organizationId, user_id, role: 'owner' }
        const answer = await agent.ask({ method: 'POST', path: '/api/v1/assignments', json })
        if (answer.status === 404) throw new Refused(`${applicant.domain}: agents of another team look after it`)
        expectStatus(answer, [200], `assignment of ${applicant.domain}`)
      }
    },
    // An instance that is gone takes its agent with it.
    [Symbol.asyncDispose]: () =>
      admin('agent', 'dismiss', email).then(
        () => undefined,
        () => undefined,
      ),
  }
}
