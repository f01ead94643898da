import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { application, minuteMs, openWorld, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

const wrong = [400, 'invalid_code']
const other = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
const triesOf = async (email: string): Promise<number> => {
  const { rows } = await world.owner.query<{ n: number }>(
    'select wrong_tries as n from auth.codes where recipient = $1',
    [email],
  )
  return rows[0]!.n
}

describe('catalogue 5.0, behaviour 2: the code', () => {
  it('right and in time: email_verified, then exactly one organization_created, then the owner as a member', async () => {
    await world.identity.signup(application('ada@right.example', { industry: 'Freight', domain: 'www.right.example' }))
    const code = await world.codeOf('ada@right.example')
    world.time.now += 15 * minuteMs - 1
    const { organizationId, position } = await world.identity.verifyEmail({ email: ' ADA@right.example', code })
    const events = (await world.events(organizationId)).slice(3)
    expect(typesOf(events)).toEqual(['email_verified', 'organization_created', 'member_added'])
    const userId = events[0]!.user_id
    expect(events[1]).toMatchObject({
      company_name: 'Acme',
      domain: 'www.right.example',
      industry: 'Freight',
      owner_user_id: userId,
      causation_id: events[0]!.event_id,
    })
    expect(events[2]).toMatchObject({ user_id: userId, role: 'owner' })
    const { rows } = await world.owner.query<{ id: string; key: string }>(
      'select id, key from auth.outbox order by id desc limit 1',
    )
    expect(position).toBe(`outbox:${rows[0]!.id}`)
    expect(rows[0]!.key).toBe(`${events[2]!.tenant_id}|${organizationId}`)
  })

  it('the right code again repeats its answer and writes nothing, also after it ran out', async () => {
    const { organizationId } = await world.join('ada@twice.example')
    const code = await world.codeOf('ada@twice.example')
    const before = (await world.events()).length
    for (const laterMs of [0, minuteMs, 60 * minuteMs]) {
      world.time.now += laterMs
      expect(await world.identity.verifyEmail({ email: 'ada@twice.example', code })).toMatchObject({
        organizationId,
        position: null,
      })
    }
    expect((await world.events()).length).toBe(before)
  })

  it('twenty right ones at once: one organization_created', async () => {
    await world.identity.signup(application('ada@crowd.example'))
    const code = await world.codeOf('ada@crowd.example')
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => world.identity.verifyEmail({ email: 'ada@crowd.example', code })),
    )
    expect(new Set(answers.map(({ organizationId }) => organizationId)).size).toBe(1)
    const types = typesOf(await world.events(answers[0]!.organizationId))
    expect(types.filter((type) => type === 'organization_created')).toHaveLength(1)
  })

  it('late: nothing but an attempt count', async () => {
    await world.identity.signup(application('ada@late.example'))
    const code = await world.codeOf('ada@late.example')
    const before = (await world.events()).length
    world.time.now += 15 * minuteMs
    expect(await refusal(world.identity.verifyEmail({ email: 'ada@late.example', code }))).toEqual(wrong)
    expect(await triesOf('ada@late.example')).toBe(1)
    expect((await world.events()).length).toBe(before)
  })

  it('wrong: nothing but an attempt count; the fifth kills the code', async () => {
    await world.identity.signup(application('ada@wrong.example'))
    const code = await world.codeOf('ada@wrong.example')
    const before = (await world.events()).length
    for (let n = 1; n <= 5; n++) {
      expect(await refusal(world.identity.verifyEmail({ email: 'ada@wrong.example', code: other(code) }))).toEqual(
        wrong,
      )
      expect(await triesOf('ada@wrong.example')).toBe(n)
    }
    expect(await refusal(world.identity.verifyEmail({ email: 'ada@wrong.example', code }))).toEqual(wrong)
    expect((await world.events()).length).toBe(before)
    const { rows } = await world.owner.query(`select verified_at from auth.users where email = 'ada@wrong.example'`)
    expect(rows).toEqual([{ verified_at: null }])
  })

  it('four wrong ones leave it alive', async () => {
    await world.identity.signup(application('ada@four.example'))
    const code = await world.codeOf('ada@four.example')
    for (let n = 1; n <= 4; n++)
      await refusal(world.identity.verifyEmail({ email: 'ada@four.example', code: other(code) }))
    await world.identity.verifyEmail({ email: 'ada@four.example', code })
  })

  it('fifty guesses at once count five', async () => {
    await world.identity.signup(application('ada@guess.example'))
    const code = await world.codeOf('ada@guess.example')
    const guesses = Array.from({ length: 50 }, () =>
      world.identity.verifyEmail({ email: 'ada@guess.example', code: other(code) }),
    )
    await Promise.allSettled(guesses)
    expect(await triesOf('ada@guess.example')).toBe(5)
    expect(await refusal(world.identity.verifyEmail({ email: 'ada@guess.example', code }))).toEqual(wrong)
  })

  it('says the same about an unknown address, no address, and the code of another tenant', async () => {
    await world.identity.signup(application('ada@mine.example'))
    await world.identity.signup(application('ada@yours.example'))
    const [mine, yours] = [await world.codeOf('ada@mine.example'), await world.codeOf('ada@yours.example')]
    for (const email of ['nobody@mine.example', 'not an address']) {
      expect(await refusal(world.identity.verifyEmail({ email, code: mine }))).toEqual(wrong)
    }
    if (mine !== yours) {
      expect(await refusal(world.identity.verifyEmail({ email: 'ada@yours.example', code: mine }))).toEqual(wrong)
    }
  })

  it('survives the process: another one over the same database takes it', async () => {
    await world.identity.signup(application('ada@kill.example'))
    const code = await world.codeOf('ada@kill.example')
    await world.another().verifyEmail({ email: 'ada@kill.example', code })
  })
})

describe('a second person of a verified host', () => {
  it('signs up with the same answer, is verified, and gets no second organization', async () => {
    const first = await world.join('ada@shared.example')
    const { userId } = await world.identity.signup(application('bob@shared.example'))
    expect(userId).toMatch(/^[0-9a-f-]{36}$/)
    const code = await world.codeOf('bob@shared.example')
    for (let n = 0; n < 2; n++) {
      expect(await refusal(world.identity.verifyEmail({ email: 'bob@shared.example', code }))).toEqual([
        409,
        'organization_exists',
      ])
    }
    const { rows } = await world.owner.query<{ organization_id: string }>(
      `select organization_id from auth.organizations where email_host = 'shared.example' and status = 'active'`,
    )
    expect(rows).toEqual([{ organization_id: first.organizationId }])
    const theirs = (await world.events()).filter((event) => event.user_id === userId)
    expect(typesOf(theirs)).toEqual(['verification_code_issued', 'email_verified', 'join_requested'])
    const login = world.identity.login(
      { email: 'bob@shared.example', password: application('').password },
      { ip: '::1' },
    )
    expect(await refusal(login)).toEqual([403, 'no_organization'])
  })

  it('two who verify at once: one organization', async () => {
    const emails = ['a', 'b', 'c', 'd'].map((name) => `${name}@race.example`)
    for (const email of emails) await world.identity.signup(application(email))
    const codes = await Promise.all(emails.map((email) => world.codeOf(email)))
    const outcomes = await Promise.allSettled(
      emails.map((email, n) => world.identity.verifyEmail({ email, code: codes[n]! })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const created = (await world.events()).filter((event) => event.event_type === 'organization_created')
    expect(created.filter((event) => event.domain === 'race.example')).toHaveLength(1)
  })

  it('hosts are compared whole: a subdomain is another company', async () => {
    await world.join('ada@whole.example')
    await world.join('ada@c1.whole.example')
  })
})

describe('resend-code', () => {
  it('sends a new code and ends the old one', async () => {
    await world.identity.signup(application('ada@resend.example'))
    const old = await world.codeOf('ada@resend.example')
    const before = (await world.events()).length
    await world.identity.resendCode({ email: 'ada@resend.example' })
    const events = (await world.events()).slice(before)
    expect(typesOf(events)).toEqual(['verification_code_issued', 'message_requested'])
    const code = await world.codeOf('ada@resend.example')
    if (code !== old) {
      expect(await refusal(world.identity.verifyEmail({ email: 'ada@resend.example', code: old }))).toEqual(wrong)
    }
    await world.identity.verifyEmail({ email: 'ada@resend.example', code })
  })

  it('has the same answer and the same limit for unknown, pending and verified addresses', async () => {
    await world.identity.signup(application('ada@pending.example'))
    await world.join('ada@verified.example')
    const limitOf = async (email: string, sentBefore: number): Promise<void> => {
      for (let n = sentBefore; n < 5; n++) await world.identity.resendCode({ email })
      world.time.now += minuteMs
      expect(await refusal(world.identity.resendCode({ email }))).toEqual([429, 'too_many_attempts', 59 * 60])
      world.time.now -= minuteMs
    }
    await limitOf('ada@pending.example', 1)
    await limitOf('ada@verified.example', 1)
    await limitOf('nobody@verified.example', 0)
    const mails = (await world.events()).filter((event) => event.to === 'ada@verified.example')
    expect(mails).toHaveLength(1)
  })

  it('twenty at once send no more than the limit', async () => {
    await world.identity.signup(application('ada@flood.example'))
    await Promise.allSettled(
      Array.from({ length: 20 }, () => world.identity.resendCode({ email: 'ada@flood.example' })),
    )
    const mails = (await world.events()).filter((event) => event.to === 'ada@flood.example')
    expect(mails).toHaveLength(5)
  })
})
