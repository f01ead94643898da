import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nobody } from '../../../api/auth/index.ts'
import { authEvents, communicationEvents } from '../../../schemas/index.ts'
import { application, minuteMs, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

describe('catalogue 5.0, behaviour 1: free mail', () => {
  it.each(['gmail.com', 'yahoo.com', 'hotmail.com', 'outlook.com', 'icloud.com', 'GMail.com.', 'uk.yahoo.com'])(
    '%s is refused with `signup_rejected` and no user row',
    async (host) => {
      const users = await world.count('auth.users')
      const before = (await world.events()).length
      const attempt = world.identity.signup(application(`ada@${host}`))
      await expect(attempt).rejects.toMatchObject({
        status: 400,
        code: 'personal_email',
        detail: expect.stringContaining('work email') as string,
      })
      expect(await world.count('auth.users')).toBe(users)
      const events = (await world.events()).slice(before)
      expect(events).toMatchObject([
        {
          event_type: 'signup_rejected',
          tenant_id: nobody,
          organization_id: nobody,
          email_domain: host.toLowerCase().replace(/\.$/, ''),
          reason: 'personal_email',
          actor: { type: 'user', id: 'anonymous' },
        },
      ])
    },
  )
})

describe('catalogue 5.0, behaviour 2: a sign-up', () => {
  it('makes a pending user and organization, their tenant with a data key, a code and its mail, in one transaction', async () => {
    const { userId } = await world.identity.signup(
      application('ada@two.example', { domain: 'Shop.Two.example', industry: 'Freight' }),
    )
    const { rows } = await world.owner.query(
      `select u.user_id, u.verified_at, u.role, u.user_type, o.status, o.company_name, o.domain, o.industry, o.email_host,
         o.tenant_id = u.tenant_id as same_tenant, k.wrapped_key is not null as has_key, o.tenant_id, o.organization_id
       from auth.users u join auth.organizations o using (organization_id) join auth.data_keys k on k.tenant_id = u.tenant_id
       where u.email = 'ada@two.example'`,
    )
    expect(rows).toMatchObject([
      {
        user_id: userId,
        verified_at: null,
        role: 'owner',
        user_type: 'client',
        status: 'pending',
        domain: 'shop.two.example',
        email_host: 'two.example',
        industry: 'Freight',
        same_tenant: true,
        has_key: true,
      },
    ])
    const { tenant_id, organization_id } = rows[0] as { tenant_id: string; organization_id: string }
    const events = await world.events(organization_id)
    expect(typesOf(events)).toEqual(['signup_requested', 'verification_code_issued', 'message_requested'])
    const [requested, issued, mail] = events
    expect(requested).toMatchObject({
      tenant_id,
      correlation_id: organization_id,
      causation_id: '',
      source: 'identity',
      actor: { type: 'user', id: userId },
      timestamp: world.time.now,
      email: 'ada@two.example',
      domain: 'shop.two.example',
      password_hash_ref: `auth.users:${userId}`,
    })
    expect(issued).toMatchObject({
      user_id: userId,
      expires_at: world.time.now + 15 * minuteMs,
      causation_id: requested!.event_id,
    })
    expect(mail).toMatchObject({
      contact_id: userId,
      purpose: 'transactional',
      channel: 'email',
      template: 'verify_email',
      data_ref: issued!.code_ref,
      causation_id: issued!.event_id,
    })
  })

  it('places each event by the key of its topic', async () => {
    const { rows } = await world.owner.query<{ topic: string; key: string; event: Record<string, string> }>(
      'select topic, key, event from auth.outbox',
    )
    for (const { topic, key, event } of rows) {
      const rest = topic === communicationEvents.name ? event.contact_id : event.organization_id
      expect(key).toBe(`${event.tenant_id}|${rest}`)
    }
  })

  it('writes events with exactly the fields their schema declares', async () => {
    const envelope = 10
    for (const event of await world.events()) {
      const definitions = { ...authEvents.events, ...communicationEvents.events } as Record<string, { fields: object }>
      const declared = definitions[event.event_type]!.fields
      const given = Object.keys(event).slice(0)
      expect(given.filter((name) => name in declared).length).toBe(given.length - envelope)
    }
  })

  it('puts neither the code, nor the password, nor its hash into an event', async () => {
    const code = await world.codeOf('ada@two.example')
    const text = JSON.stringify(await world.events())
    const { rows } = await world.owner.query<{ password_hash: string }>('select password_hash from auth.users')
    for (const secret of [`"${code}"`, password, ...rows.map((row) => row.password_hash)])
      expect(text).not.toContain(secret)
  })

  it('keeps the code only encrypted, and the mail reads it by its reference', async () => {
    const { rows } = await world.owner.query<{ code_ref: string; sealed: Buffer }>(
      `select code_ref, sealed from auth.codes where recipient = 'ada@two.example'`,
    )
    const read = await world.readCode(rows[0]!.code_ref)
    expect(read).toEqual({
      code: expect.stringMatching(/^\d{6}$/) as string,
      recipient: 'ada@two.example',
      expiresAt: world.time.now + 15 * minuteMs,
    })
    expect(rows[0]!.sealed.includes(read!.code)).toBe(false)
    expect(await world.readCode('auth.codes:unknown')).toBeNull()
  })

  it('takes the host of the e-mail for the site when none is told', async () => {
    await world.identity.signup(application('ada@three.example'))
    const { rows } = await world.owner.query(`select domain from auth.organizations where email_host = 'three.example'`)
    expect(rows).toEqual([{ domain: 'three.example' }])
  })

  it('wakes the relay', async () => {
    const before = world.nudges
    await world.identity.signup(application('ada@four.example'))
    expect(world.nudges).toBe(before + 1)
  })

  it.each([
    ['not an address', { email: 'ada' }, 422, 'invalid_email'],
    ['no host name', { domain: 'https://two.example' }, 422, 'invalid_domain'],
    ['a short password', { password: 'short' }, 422, 'password_too_short'],
    ['a password of 73 bytes', { password: 'x'.repeat(73) }, 422, 'password_too_long'],
    ['a password that is the address', { password: 'ada@five.example' }, 422, 'password_is_email'],
  ])('refuses %s, and writes nothing', async (_, more, status, code) => {
    const before = (await world.events()).length
    expect(await refusal(world.identity.signup(application('ada@five.example', more)))).toEqual([status, code])
    expect((await world.events()).length).toBe(before)
  })
})

describe('catalogue 5.0, behaviour 3: the same address again', () => {
  it('within the window: one user, one organization, one code, the same answer', async () => {
    const first = await world.identity.signup(application('bob@again.example'))
    const events = (await world.events()).length
    const second = await world.identity.signup(application(' Bob@AGAIN.example', { password: 'another password' }))
    expect(second).toEqual(first)
    expect((await world.events()).length).toBe(events)
    const { rows } = await world.owner.query(
      `select count(*)::int as n from auth.organizations where email_host = 'again.example'`,
    )
    expect(rows).toEqual([{ n: 1 }])
  })

  it('20 at once: one user, one organization, one data key, one code; twenty equal answers', async () => {
    const before = { events: (await world.events()).length, keys: await world.count('auth.data_keys') }
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        world.identity.signup(application('eve@parallel.example', { first_name: `Eve ${n}` })),
      ),
    )
    expect(new Set(answers.map(({ userId }) => userId)).size).toBe(1)
    const { rows } = await world.owner.query(
      `select count(*)::int as organizations, count(distinct tenant_id)::int as tenants from auth.organizations
       where email_host = 'parallel.example'`,
    )
    expect(rows).toEqual([{ organizations: 1, tenants: 1 }])
    expect(await world.count('auth.data_keys')).toBe(before.keys + 1)
    expect(typesOf((await world.events()).slice(before.events))).toEqual([
      'signup_requested',
      'verification_code_issued',
      'message_requested',
    ])
  })

  it('two companies at once never share anything', async () => {
    const [one, two] = await Promise.all([
      world.identity.signup(application('ada@left.example')),
      world.identity.signup(application('ada@right.example')),
    ])
    expect(one.userId).not.toBe(two.userId)
    const { rows } = await world.owner.query(
      `select count(distinct tenant_id)::int as tenants from auth.users where email in ('ada@left.example', 'ada@right.example')`,
    )
    expect(rows).toEqual([{ tenants: 2 }])
  })

  it('after the window: the same user and organization, new details, a new code, the old one dead', async () => {
    const first = await world.identity.signup(application('joe@late.example'))
    const oldCode = await world.codeOf('joe@late.example')
    world.time.now += 15 * minuteMs
    const second = await world.identity.signup(
      application('joe@late.example', { company_name: 'Late Ltd', password: 'a newer password' }),
    )
    expect(second).toEqual(first)
    const newCode = await world.codeOf('joe@late.example')
    if (newCode !== oldCode) {
      expect(await refusal(world.identity.verifyEmail({ email: 'joe@late.example', code: oldCode }))).toEqual([
        400,
        'invalid_code',
      ])
    }
    const { organizationId } = await world.identity.verifyEmail({ email: 'joe@late.example', code: newCode })
    expect((await world.events(organizationId)).at(-2)).toMatchObject({ company_name: 'Late Ltd' })
    await world.identity.login({ email: 'joe@late.example', password: 'a newer password' }, { ip: '::1' })
  })

  it('for a verified address: the same answer, nothing written, nothing changed', async () => {
    const { userId } = await world.join('amy@known.example')
    world.time.now += 60 * minuteMs
    const before = (await world.events()).length
    expect(await world.identity.signup(application('amy@known.example', { password: 'stolen password' }))).toEqual({
      userId,
    })
    expect((await world.events()).length).toBe(before)
    expect(
      await refusal(world.identity.login({ email: 'amy@known.example', password: 'stolen password' }, { ip: '::1' })),
    ).toEqual([401, 'wrong_credentials'])
  })

  it('cannot be used to send mail without end', async () => {
    for (let n = 0; n < 12; n++) {
      await world.identity.signup(application('max@spam.example'))
      world.time.now += 4 * minuteMs
    }
    const { rows } = await world.owner.query(
      `select count(*)::int as n from auth.outbox where event ->> 'to' = 'max@spam.example' having count(*) <= 5`,
    )
    expect(rows).toHaveLength(1)
  })
})
