import { afterAll, beforeAll, expect, test } from 'vitest'
import { reviewDeciders } from '../../../schemas/index.ts'
import { call, keyOf, organizationOf, person, raw, tenantA, tenantB, tokenOf } from '../http/world.ts'
import type { World } from './world.ts'
import { asked, now, openWorld } from './world.ts'

let world: World
const token = keyOf(tenantA)
const dayMs = 86_400_000

beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const post = (body: unknown, as = token) => call(world.events, { body, token: as })
const code = async (body: unknown, as = token): Promise<string> => {
  const answer = await post(body, as)
  return `${String(answer.status)} ${String(answer.body.code)}`
}
const at = (position: string) => world.at(position)

test('one event is written once, completed by the server, and answered with its position', async () => {
  const answer = await post(asked('One'))
  expect(answer).toMatchObject({ status: 202, body: { event_id: expect.any(String), position: expect.any(String) } })
  expect(answer.headers.get('position')).toBe(answer.body.position)
  const record = await at(answer.body.position)
  expect(record).toMatchObject({ key: `${tenantA}|${organizationOf(tenantA)}`, timestamp: now, headers: [] })
  expect(record!.event).toEqual({
    event_id: answer.body.event_id,
    event_type: 'research_requested',
    event_version: 1,
    timestamp: now,
    tenant_id: tenantA,
    organization_id: organizationOf(tenantA),
    correlation_id: organizationOf(tenantA),
    causation_id: '',
    source: 'ingest',
    actor: { type: 'system', id: `api_key:${tenantA}` },
    ...asked('One').payload,
  })
})

test('a person may send events too, and the actor says who', async () => {
  const owner = person(tenantB)
  const answer = await post(asked('Two'), tokenOf(owner))
  const { event } = (await at(answer.body.position))!
  expect([event.tenant_id, event.actor]).toEqual([tenantB, { type: 'user', id: owner.userId }])
})

test('an agent sends no events: they would stand in no client', async () => {
  for (const tenant of [tenantA, tenantB]) {
    const agent = person(tenant, { userType: 'agent', role: 'agent' })
    const before = (await world.written(tenant)).length
    expect(await code(asked('Mine'), tokenOf(agent))).toBe('403 forbidden')
    expect(await code([asked('Mine')], tokenOf({ ...agent, role: 'supervisor' }))).toBe('403 forbidden')
    expect((await world.written(tenant)).length).toBe(before)
  }
})

test('a list is written in one piece, in its order, in either form', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `Listed ${String(index)}`)
  for (const body of [names.map(asked), { events: names.map(asked) }]) {
    const answer = await post(body)
    expect(answer.status).toBe(202)
    expect(answer.body.events).toHaveLength(1_000)
    expect(answer.headers.get('position')).toBe(answer.body.events.at(-1).position)
    const written = await world.written(tenantA)
    const places = new Map(written.map((each) => [each.position, each.event.company_name]))
    expect(answer.body.events.map(({ position }: { position: string }) => places.get(position))).toEqual(names)
  }
})

test('row 15: a list with one bad event is refused whole, with its index and reason', async () => {
  const before = (await world.written()).length
  const list: unknown[] = Array.from({ length: 1_000 }, () => asked())
  list[500] = { ...asked(), payload: { ...asked().payload, depth: 'bottomless' } }
  const answer = await post(list)
  expect(answer).toMatchObject({ status: 422, body: { code: 'not_one_of', reason: 'not_one_of', index: 500 } })
  expect(await code([asked(), { ...asked(), type: 'research_started' }])).toBe('403 type_not_public')
  expect(await code([])).toBe('422 empty_batch')
  expect(await code(Array.from({ length: 1_001 }, () => asked()))).toBe('422 too_many_events')
  expect((await world.written()).length).toBe(before)
})

test("row 8: the tenant is the credential's; another one in the body is 403, wherever it stands", async () => {
  for (const field of ['tenant_id', 'tenant', 'organization_id']) {
    expect(await code({ ...asked(), [field]: tenantB })).toBe('403 tenant_mismatch')
    expect(await code({ ...asked(), payload: { ...asked().payload, [field]: tenantB } })).toBe('403 tenant_mismatch')
  }
  const own = await post({ ...asked(), tenant_id: tenantA })
  expect((await at(own.body.position))!.event.tenant_id).toBe(tenantA)
})

test('row 9: names of the prototype are refused and change nothing', async () => {
  for (const name of ['constructor', 'toString', 'prototype']) {
    expect(await code({ ...asked(), [name]: { x: 1 } })).toBe('422 unknown_field')
    expect(await code({ ...asked(), payload: { ...asked().payload, [name]: { x: 1 } } })).toBe('422 unknown_field')
  }
  const proto = await call(world.events, {
    text: '{"topic":"research_events","type":"x","payload":{"__proto__":{"x":1}}}',
    token,
  })
  expect(proto).toMatchObject({ status: 400, body: { code: 'bad_key' } })
  expect(await code({ ...asked(), type: 'toString' })).toBe('422 unknown_type')
  expect(await code({ ...asked(), topic: '__proto__' })).toBe('422 unknown_topic')
  expect(({} as Record<string, unknown>).x).toBeUndefined()
})

test('rows 10 and 16: what the server decides cannot be sent', async () => {
  for (const field of [
    'id',
    'event_id',
    'created_at',
    'offset',
    'role',
    'is_admin',
    'key',
    'partition',
    'source',
    'actor',
  ]) {
    expect(await code({ ...asked(), [field]: 'x' })).toBe('422 unknown_field')
    expect(await code({ ...asked(), payload: { ...asked().payload, [field]: 'x' } })).toBe('422 unknown_field')
  }
  for (const key of [null, '', 'k'.repeat(1024 * 200), `${tenantB}|x`])
    expect(await code({ ...asked(), key })).toBe('422 unknown_field')
})

const preference = (contact_id: unknown) => ({
  topic: 'communication_events',
  type: 'contact_preference_changed',
  payload: { contact_id, channel: 'email', subscribed: false, preference_source: 'unsubscribe_link' },
})

test('row 16: an id that becomes part of the key is bounded and cannot leave its tenant', async () => {
  const good = await post(preference('contact-1'))
  expect((await at(good.body.position))!.key).toBe(`${tenantA}|contact-1`)
  for (const id of ['', 'x'.repeat(513), 'a|b', `${tenantB}|contact-1`])
    expect(await code(preference(id))).toBe('422 bad_key')
})

test('row 11: numbers are exact or refused', async () => {
  const withTime = (time: string) =>
    call(world.events, { token, text: JSON.stringify({ ...asked(), timestamp: 'T' }).replace('"T"', time) })
  for (const time of ['9007199254740993', '1e400', '-0', '1e18']) {
    expect(await withTime(time)).toMatchObject({ status: 422, body: { code: 'number_not_exact' } })
  }
  for (const time of ['"0x10"', '""', '"12abc"', `"${String(now)}"`, `${String(now)}.5`, 'null', 'true', '[]']) {
    expect(await withTime(time)).toMatchObject({ status: 422, body: { code: 'invalid_field' } })
  }
  const exact = await withTime('1.7672256e12')
  expect((await at(exact.body.position))!.event.timestamp).toBe(1_767_225_600_000)
})

test('row 12: event time is bounded, and a late event is marked', async () => {
  for (const time of [0, -1, 253_402_300_799_000, now + 7 * dayMs, now + 300_001, now - 30 * dayMs - 1]) {
    expect(await code({ ...asked(), timestamp: time })).toBe('422 timestamp_out_of_range')
  }
  expect(await code({ ...asked(), timestamp: 'NaN' })).toBe('422 invalid_field')
  const header = async (timestamp: number) => (await at((await post({ ...asked(), timestamp })).body.position))!.headers
  expect(await header(now + 300_000)).toEqual([])
  expect(await header(now - dayMs)).toEqual([])
  expect(await header(now - dayMs - 1)).toEqual([{ key: 'late', value: Buffer.from('true') }])
})

test('row 13: text arrives byte for byte, or is refused', async () => {
  const text = 'a\u202Eb 😀 e\u0301 \ufeff <script>'
  const answer = await post(asked(text))
  expect((await at(answer.body.position))!.event.company_name).toBe(text)
  for (const bad of ['a\\u0000b', 'a\\ud800', '\\udfffb']) {
    const sent = await call(world.events, { token, text: JSON.stringify(asked('X')).replace('X', bad) })
    expect(sent).toMatchObject({ status: 422, body: { code: 'bad_text' } })
  }
  const bytes = Buffer.from(JSON.stringify(asked('Xx')))
  bytes[bytes.indexOf('Xx')] = 0xff
  expect(await call(world.events, { token, text: bytes })).toMatchObject({ status: 422, body: { code: 'bad_text' } })
})

test('only public types are taken, of topics and types there are', async () => {
  expect(await code({ ...asked(), topic: 'nonsense' })).toBe('422 unknown_topic')
  expect(await code({ ...asked(), type: 'nonsense' })).toBe('422 unknown_type')
  expect(await code({ ...asked(), type: 'research_completed' })).toBe('403 type_not_public')
  expect(await code({ ...asked(), type: 'scrape_job_finished' })).toBe('403 type_not_public')
  expect(await code({ ...asked(), type: 'call_answered' })).toBe('403 type_not_public')
  expect(await code({ topic: 'research_events', type: 'research_requested' })).toBe('422 missing_field')
  expect(await code({ ...asked(), payload: [] })).toBe('422 wrong_type')
  for (const body of ['text', 1, null]) expect(await code(body)).toBe('422 invalid_field')
  expect(await code({ events: {} })).toBe('422 invalid_field')
  expect(await code({ events: [asked()], topic: 'x' })).toBe('422 unknown_field')
})

test("a decision is a person's, through this door as through the other", async () => {
  const decided = {
    topic: 'review_events',
    type: 'review_decision_requested',
    payload: { review_id: 'r1', decision: 'approve' },
  }
  await world.review(tenantA, 'r1', 'finding')
  expect(await code(decided, keyOf(tenantA))).toBe('403 forbidden')
  expect(await code(decided, tokenOf(person(tenantA, { role: 'member' })))).toBe('403 forbidden')
  for (const role of ['owner', 'admin'])
    expect((await post(decided, tokenOf(person(tenantA, { role })))).status).toBe(202)
  const edited = {
    ...decided,
    payload: { ...decided.payload, decision: 'edit', edits: { discount_basis_points: 10_000 } },
  }
  expect(await code(edited, tokenOf(person(tenantA)))).toBe('403 forbidden')
  // An agent's way is the review itself, in the tenant of the review.
  expect(await code(decided, tokenOf(person(tenantA, { role: 'member', userType: 'agent' })))).toBe('403 forbidden')
})

test("what is the seller's to decide is commanded by nobody of the client, and of an unknown review nothing is known", async () => {
  const of = (type: string, review_id: string) => ({
    topic: 'review_events',
    type,
    payload: type === 'review_decision_requested' ? { review_id, decision: 'approve' } : { review_id },
  })
  const commands = ['review_claim_requested', 'review_release_requested', 'review_decision_requested']
  for (const tenant of [tenantA, tenantB]) {
    const subjects = Object.keys(reviewDeciders).filter((subject) => subject !== 'finding')
    expect(subjects).toEqual(expect.arrayContaining(['document', 'refund', 'step', 'prd', 'config']))
    for (const subject of [...subjects, 'something_new']) await world.review(tenant, `the-${subject}`, subject)
    await world.review(tenant, 'the-finding', 'finding')
    await world.review(tenant, `own-${tenant}`, 'finding')
    const before = (await world.written()).length
    const owner = tokenOf(person(tenant))
    const other = `own-${tenant === tenantA ? tenantB : tenantA}`
    for (const type of commands) {
      for (const id of [...subjects.map((subject) => `the-${subject}`), 'the-something_new', 'of-nobody', other])
        for (const role of ['owner', 'admin'])
          expect(await code(of(type, id), tokenOf(person(tenant, { role })))).toBe('403 sellers_decision')
      expect(await code(of(type, 'the-finding'), tokenOf(person(tenant, { role: 'member' })))).toBe('403 forbidden')
      expect(await code(of(type, 'the-finding'), keyOf(tenant))).toBe('403 forbidden')
    }
    // One among others, in a list too: nothing of it is written.
    const list = [of('review_decision_requested', 'the-finding'), of('review_decision_requested', 'the-refund')]
    const mixed = await post(list, owner)
    expect(mixed).toMatchObject({ status: 403, body: { code: 'sellers_decision', index: 1 } })
    expect((await world.written()).length).toBe(before)
    for (const type of commands) expect((await post(of(type, 'the-finding'), owner)).status).toBe(202)
  }
})

test('a client asks for a document by what it needs, and gives itself no discount', async () => {
  const wanted = (inputs: Readonly<Record<string, string>>) => ({
    topic: 'document_events',
    type: 'document_requested',
    payload: { document_type: 'pricing', inputs, reason: 'more seats' },
  })
  for (const tenant of [tenantA, tenantB]) {
    const owner = tokenOf(person(tenant))
    const before = (await world.written(tenant)).length
    for (const inputs of [
      { discount_basis_points: '2000' },
      { seats: '5', discount_basis_points: '0' },
      { margin: '1' },
    ])
      for (const as of [owner, keyOf(tenant)]) expect(await code(wanted(inputs), as)).toBe('422 unknown_field')
    expect(await code([wanted({ seats: '5' }), wanted({ discount_basis_points: '1' })], owner)).toBe(
      '422 unknown_field',
    )
    expect((await world.written(tenant)).length).toBe(before)
    const good = await post(wanted({ seats: '5', conversations: '100', interval: 'year' }), owner)
    expect((await at(good.body.position))?.event).toMatchObject({ tenant_id: tenant, inputs: { seats: '5' } })
  }
})

test('row 18: a client that leaves after sending has its event written once, and a retry gets the answer', async () => {
  const body = JSON.stringify(asked('Impatient'))
  const head = [
    'POST /api/v1/events HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${token}`,
    'Idempotency-Key: impatient-1',
  ]
  const request = [
    ...head,
    'Content-Type: application/json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    '',
    body,
  ]
  await raw(world.server.port, [request.join('\r\n')], 1)
  const retry = await call(world.events, {
    body: asked('Impatient'),
    token,
    headers: { 'Idempotency-Key': 'impatient-1' },
  })
  const written = (await world.written(tenantA)).filter(({ event }) => event.company_name === 'Impatient')
  expect(written.map(({ position }) => position)).toEqual([retry.body.position])
})

test('requests at the same time share transactions, and each gets its own places', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      post(asked(`Crowd ${String(index)}`), index % 2 === 0 ? token : keyOf(tenantB)),
    ),
  )
  const places = new Map((await world.written()).map((each) => [each.position, each]))
  answers.forEach(({ body }, index) => {
    const record = places.get(body.position)!
    expect(record.event.event_id).toBe(body.event_id)
    expect(record.event.company_name).toBe(`Crowd ${String(index)}`)
    expect(record.event.tenant_id).toBe(index % 2 === 0 ? tenantA : tenantB)
  })
})

test('nobody without a credential', async () => {
  expect((await call(world.events, { body: asked() })).status).toBe(401)
  expect((await post(asked(), 'lck_unknown')).status).toBe(401)
})
