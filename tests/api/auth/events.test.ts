import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { nobody } from '../../../api/auth/index.ts'
import { render, templates } from '../../../connectors/mail/index.ts'
import { authEvents, communicationEvents, eventCodec } from '../../../schemas/index.ts'
import type { AvroSchema } from '../../../schemas/index.ts'
import { colleague, founder } from './people.ts'
import { application, openWorld, password, refusal } from './world.ts'

it('every event that identity writes goes through its topic’s codec and comes back as it was', async () => {
  await using world = await openWorld()
  const { identity } = world
  const from = { ip: '203.0.113.7' }
  await refusal(identity.signup(application('ada@gmail.com')))
  for (const email of ['ada@a.example', 'bob@b.example']) {
    await world.join(email)
    const login = await identity.login({ email, password }, from)
    await refusal(identity.login({ email, password: 'wrong password' }, from))
    const next = await identity.refresh({ refresh_token: login.refresh_token })
    await identity.logout(await identity.authenticate(next.access_token))
    for (let n = 0; n < 5; n++) await refusal(identity.login({ email, password: 'wrong password' }, from))
  }
  const ada = await founder(world, 'ada@c.example')
  await identity.invite(ada, { email: 'gone@x.example', role: 'admin' })
  await identity.revokeInvitation(ada, (await identity.listInvitations(ada))[0]!.id)
  const bob = await colleague(world, ada, 'bob@x.example', 'member')
  await identity.changeRole(ada, bob.userId, 'owner')
  await identity.createApiKey({ ...bob, role: 'owner' }, { name: 'theirs' })
  await identity.removeMember(ada, bob.userId)
  for (const [email, decision] of [
    ['dan@c.example', 'approve'],
    ['eve@c.example', 'reject'],
  ] as const) {
    await identity.signup(application(email))
    await refusal(identity.verifyEmail({ email, code: await world.codeOf(email) }))
    await identity.decideJoinRequest(ada, (await identity.listJoinRequests(ada))[0]!.id, { decision })
  }
  await identity.forgotPassword({ email: 'nobody@c.example' })
  await identity.forgotPassword({ email: 'dan@c.example' })
  const code = await world.codeOf('dan@c.example', 'reset_password')
  await identity.resetPassword({ email: 'dan@c.example', code, password: 'another good one' })
  await identity.closeOrganization(ada, { confirm: 'c.example' })

  const schemas: AvroSchema[] = []
  const registry = {
    register: (_: string, schema: AvroSchema) => Promise.resolve(schemas.push(schema)),
    schemaById: (id: number) => Promise.resolve({ schema: JSON.stringify(schemas[id - 1]) }),
  }
  const dataKeys = new Map<string, Buffer>()
  const keyRing = {
    load: (tenantIds: readonly string[]) => {
      for (const id of tenantIds) if (!dataKeys.has(id)) dataKeys.set(id, randomBytes(32))
      return Promise.resolve()
    },
    get: (tenantId: string) => dataKeys.get(tenantId),
  }
  const codecs = {
    [authEvents.name]: await eventCodec(authEvents, { registry, keyRing }),
    [communicationEvents.name]: await eventCodec(communicationEvents, { registry, keyRing }),
  }

  const { rows } = await world.owner.query<{ topic: keyof typeof codecs; key: string; event: never }>(
    'select topic, key, event from auth.outbox order by id',
  )
  const types = new Set<string>()
  const mailed = new Set<string>()
  for (const { topic, key: text, event } of rows) {
    const [codec, key] = [codecs[topic], Buffer.from(text)]
    // Nobody's tenant has no data key: events about nobody hold nothing personal.
    if (!text.startsWith(nobody)) await keyRing.load([text.split('|')[0]!])
    const value = codec.serialize(event, key)
    await codec.prepare([{ key, value }])
    const decoded = codec.deserialize(value, key)
    expect(decoded).toMatchObject(event)
    types.add(decoded.event_type)
    if (decoded.event_type !== 'message_requested') continue
    const { template, data, data_ref } = decoded as unknown as Record<string, string> & { data: object }
    mailed.add(template!)
    // With its code, where it has one, the text is whole; a code stands nowhere else than behind its reference.
    const values = { ...data, ...(data_ref == null ? {} : { code: '123456' }) }
    expect([template, render(templates[template!]!, values).kind]).toEqual([template, 'text'])
  }
  // The other templates belong to what clients are written about later.
  expect([...mailed].sort()).toEqual([
    ...['invitation', 'join_approved', 'join_rejected', 'join_requested', 'reset_password', 'verify_email'],
  ])
  expect([...types].sort()).toEqual([
    'api_key_created',
    'api_key_revoked',
    'email_verified',
    'invitation_accepted',
    'invitation_revoked',
    'join_approved',
    'join_rejected',
    'join_requested',
    'login_failed',
    'login_locked',
    'login_succeeded',
    'member_added',
    'member_invited',
    'member_removed',
    'member_role_changed',
    'message_requested',
    'organization_created',
    'organization_deleted',
    'password_changed',
    'password_reset_requested',
    'signup_rejected',
    'signup_requested',
    'token_refreshed',
    'token_revoked',
    'verification_code_issued',
  ])
})
