/** Who decides what: two tenants, their owner, admin and member, a program, and our people, at the reviews' own doors. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../../api/index.ts'
import type { ReviewSubject } from '../../../schemas/index.ts'
import { reviewDeciders, reviewEvents } from '../../../schemas/index.ts'
import { password } from '../auth/world.ts'
import type { Client, Person, World } from './world.ts'
import { openWorld, statusAndCode } from './world.ts'

const subjects = Object.keys(reviewDeciders) as ReviewSubject[]
const options = ['approve', 'reject', 'edit', 'escalate']
const commands = [
  ['claim', undefined],
  ['release', undefined],
  ['decision', { decision: 'approve' }],
  ['decision', { decision: 'edit', edits: { discount_basis_points: 10_000 } }],
] as const

let world: World
let clients: readonly Client[]
let people: Readonly<Record<string, Person>>
/** By the client's address: its owner, admin and member. */
const ofClient = new Map<string, Readonly<Record<'owner' | 'admin' | 'member', Person>>>()

beforeAll(async () => {
  world = await openWorld()
  clients = [await world.client('ada@a.example'), await world.client('bob@b.example')]
  const [a, b] = clients as [Client, Client]
  for (const client of clients) {
    const one = async (role: string): Promise<Person> => {
      const email = `${role}-${client.email}`
      await world.identity.owner.query(
        `insert into auth.users (user_id, email, password_hash, first_name, last_name, tenant_id, organization_id, user_type,
           role, signed_up_at, verified_at)
         select gen_random_uuid(), $2, password_hash, first_name, last_name, tenant_id, organization_id, user_type,
           $3, signed_up_at, verified_at from auth.users where email = $1`,
        [client.email, email, role],
      )
      return login(email)
    }
    ofClient.set(client.email, {
      owner: await login(client.email),
      admin: await one('admin'),
      member: await one('member'),
    })
  }
  people = {
    chief: await world.agent('Chief', 'North', 'supervisor'),
    assigned: await world.agent('Grace', 'North'),
    observer: await world.agent('Oscar', 'North'),
    unassigned: await world.agent('Carl', 'North'),
    ofB: await world.agent('Stranger', 'South'),
    chiefOfB: await world.agent('Other', 'South', 'supervisor'),
  }
  for (const [who, of, role] of [
    ['assigned', a, 'owner'],
    ['observer', a, 'observer'],
    ['ofB', b, 'support'],
  ] as const)
    await world.staff.assign(operator, { organization_id: of.organizationId, user_id: people[who]!.userId, role })
})
afterAll(() => world[Symbol.asyncDispose]())

async function login(email: string): Promise<Person> {
  const { status, body } = await world.login(email, password)
  expect([email, status]).toEqual([email, 200])
  return { userId: '', token: String(body.access_token) }
}

/** Held by nobody, or by whoever is named. */
async function review(of: Client, id: string, subject: string, heldBy: string | null = null): Promise<void> {
  await world.identity.owner.query(
    `insert into lifecycle.review_queue (tenant_id, organization_id, review_id, status, subject_type, subject_ref, reason,
       risk, proposed_action, options, requester, requested_at, due_at, claimed_by, lease_until, edits, comment, src_topic,
       src_part, src_offset, changed_at)
     values ($1, $2, $3, case when $5::text is null then 'open' else 'claimed' end, $4, 's', 'the reason', 'high',
       '{"margin": 12}', $6, 'x', to_timestamp(0), to_timestamp(4e9), $5, to_timestamp(3e9), '{"to": 1}', 'a comment',
       'review_events', 0, 1, to_timestamp(0))
     on conflict (tenant_id, review_id) do update set status = excluded.status, claimed_by = excluded.claimed_by`,
    [of.tenantId, of.organizationId, id, subject, heldBy, JSON.stringify(options)],
  )
}

/** What each command about the review comes to; claims and releases find it held by whoever asks. */
async function answers(of: Client, id: string, subject: string, as: Person): Promise<string[]> {
  const found: string[] = []
  for (const [command, body] of commands) {
    await review(of, id, subject, command === 'release' ? as.userId : null)
    const before = world.commands.length
    const answer = statusAndCode(await world.post(`/reviews/${id}/${command}`, as, body))
    // What is refused is written nowhere.
    expect(world.commands.length - before).toBe(answer === '202' ? 1 : 0)
    found.push(answer)
  }
  return found
}

const all = (answer: string): string[] => commands.map(() => answer)

test('the table names every subject type once; only what is true of a company is its own to say', () => {
  const declared = reviewEvents.events.review_requested.fields.subject_type.avro as {
    readonly oneOf: readonly string[]
  }
  expect(subjects.toSorted()).toEqual(declared.oneOf.toSorted())
  expect(subjects.filter((subject) => reviewDeciders[subject] === 'client')).toEqual(['finding'])
})

describe.each([...subjects, 'something_new'])('a review of a %s', (subject) => {
  const isOwn = subject === 'finding'

  test('is commanded by the client where it is about itself, and by nobody of it otherwise', async () => {
    for (const client of clients) {
      const id = `${subject}-of-${client.email}`
      await review(client, id, subject)
      const { owner, admin, member } = ofClient.get(client.email)!
      for (const as of [owner, admin]) {
        if (!isOwn) expect(await answers(client, id, subject, as)).toEqual(all('403 sellers_decision'))
        else {
          for (const [command, body] of commands.filter(([command]) => command !== 'release'))
            expect(statusAndCode(await world.post(`/reviews/${id}/${command}`, as, body))).toBe('202')
        }
        expect((await world.get(`/reviews/${id}`, as)).body).toMatchObject(
          isOwn
            ? {
                decider: 'client',
                options,
                reason: 'the reason',
                proposed_action: { margin: 12 },
                comment: 'a comment',
              }
            : { decider: 'seller', options: [], reason: null, proposed_action: null, edits: null, comment: null },
        )
      }
      expect(await answers(client, id, subject, member)).toEqual(all('403 forbidden'))
      expect((await world.get(`/reviews/${id}`, member)).body.options).toEqual([])
      const other = ofClient.get(clients.find((one) => one !== client)!.email)!
      for (const as of Object.values(other))
        expect(await answers(client, id, subject, as)).toEqual(all('404 not_found'))
    }
  })

  test('is decided by the agent assigned and the supervisor, read by an observer, and not there for others', async () => {
    const [a, b] = clients as [Client, Client]
    const id = `${subject}-of-${a.email}`
    await review(a, id, subject)
    const shown = { decider: isOwn ? 'client' : 'seller', reason: 'the reason', proposed_action: { margin: 12 } }
    for (const who of ['assigned', 'chief'] as const) {
      expect(await answers(a, id, subject, people[who]!)).toEqual(all('202'))
      await review(a, id, subject)
      expect((await world.get(`/reviews/${id}`, people[who]!)).body).toMatchObject({ ...shown, options })
    }
    expect(await answers(a, id, subject, people.observer!)).toEqual(all('403 forbidden'))
    expect((await world.get(`/reviews/${id}`, people.observer!)).body).toMatchObject({ ...shown, options: [] })
    for (const who of ['unassigned', 'ofB', 'chiefOfB'] as const) {
      expect(await answers(a, id, subject, people[who]!)).toEqual(all('404 not_found'))
      expect(statusAndCode(await world.get(`/reviews/${id}`, people[who]!))).toBe('404 not_found')
    }
    const ofB = `${subject}-of-${b.email}`
    await review(b, ofB, subject)
    expect(await answers(b, ofB, subject, people.chief!)).toEqual(all('404 not_found'))
    expect(await answers(b, ofB, subject, people.ofB!)).toEqual(all('202'))
  })
})
