import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PoolClient } from '../../../connectors/postgres/index.ts'
import { application, minuteMs, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

const from = { ip: '203.0.113.7' }
const next = 'a longer horse battery'
const wrong = [400, 'invalid_code']
const other = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')
const login = (email: string, secret: string) => world.identity.login({ email, password: secret }, from)

/** Asks for a code and reads it out of the mail. */
async function forgot(email: string): Promise<string> {
  await world.identity.forgotPassword({ email })
  return world.codeOf(email, 'reset_password')
}

/** What statements a decision runs, without their values. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = []
  const pool = world.auth as unknown as { connect: () => Promise<PoolClient> }
  const connect = pool.connect
  pool.connect = async () => {
    const client = await connect.call(world.auth)
    const query = client.query
    const release = client.release
    Object.assign(client, {
      query: (...given: unknown[]) => {
        texts.push(String(given[0]))
        return (query as (...values: unknown[]) => unknown).apply(client, given)
      },
      release: (...given: []) => {
        Object.assign(client, { query, release })
        release.apply(client, given)
      },
    })
    return client
  }
  try {
    await work()
  } finally {
    pool.connect = connect
  }
  return texts
}

describe('a forgotten password', () => {
  it('is replaced with the code of the mail: the old one is refused, every session ends, others stay (F3)', async () => {
    const mine = await world.join('ada@reset.example')
    const theirs = await world.join('bob@untouched.example')
    const sessions = [await login('ada@reset.example', password), await login('ada@reset.example', password)]
    const stranger = await login('bob@untouched.example', password)
    const before = (await world.events()).length
    await world.identity.forgotPassword({ email: ' ADA@reset.example' })
    const code = await world.codeOf('ada@reset.example', 'reset_password')
    await world.identity.resetPassword({ email: 'ada@reset.example', code, password: next })

    for (const { access_token, refresh_token } of sessions) {
      expect(await refusal(world.identity.authenticate(access_token))).toEqual([401, 'unauthorized'])
      expect(await refusal(world.identity.refresh({ refresh_token }))).toEqual([401, 'unauthorized'])
    }
    await world.identity.authenticate(stranger.access_token)
    expect(await refusal(login('ada@reset.example', password))).toEqual([401, 'wrong_credentials'])
    await login('ada@reset.example', next)

    const said = (await world.events()).slice(before)
    expect(typesOf(said).slice(0, 5)).toEqual([
      'password_reset_requested',
      'message_requested',
      'password_changed',
      'token_revoked',
      'token_revoked',
    ])
    expect(said.slice(0, 5).every((event) => event.organization_id === mine.organizationId)).toBe(true)
    expect(said.some((event) => event.organization_id === theirs.organizationId)).toBe(false)
    expect(said[1]).toMatchObject({ template: 'reset_password', to: 'ada@reset.example', data: { minutes: 15 } })
    expect(JSON.stringify(said)).not.toContain(code)
  })

  it('takes a code once, in time, of its own purpose, and not after five wrong entries (F2)', async () => {
    await world.join('ada@bounds.example')
    const signup = await world.codeOf('ada@bounds.example')
    const reset = (code: string) =>
      refusal(world.identity.resetPassword({ email: 'ada@bounds.example', code, password: next }))
    const first = await forgot('ada@bounds.example')
    if (signup !== first) expect(await reset(signup)).toEqual(wrong)
    expect(await reset(first)).toBe('not refused')
    expect(await reset(first)).toEqual(wrong)
    const late = await forgot('ada@bounds.example')
    world.time.now += 15 * minuteMs
    expect(await reset(late)).toEqual(wrong)
    const tried = await forgot('ada@bounds.example')
    for (let n = 0; n < 5; n++) expect(await reset(other(tried))).toEqual(wrong)
    expect(await reset(tried)).toEqual(wrong)
    await login('ada@bounds.example', next)
  })

  it('twenty guesses at once count no fewer: the right one among them is late (F2)', async () => {
    await world.join('ada@guess.example')
    const code = await forgot('ada@guess.example')
    const reset = (guess: string) =>
      world.identity.resetPassword({ email: 'ada@guess.example', code: guess, password: next })
    await Promise.allSettled(Array.from({ length: 20 }, () => reset(other(code))))
    expect(await refusal(reset(code))).toEqual(wrong)
    const { rows } = await world.owner.query<{ n: number }>(
      `select wrong_tries as n from auth.codes where recipient = 'ada@guess.example' and purpose = 'reset_password'`,
    )
    expect(rows).toEqual([{ n: 5 }])
  })

  it('judges the new password before the code, and says which rule it breaks', async () => {
    await world.join('ada@rules.example')
    const code = await forgot('ada@rules.example')
    const reset = (secret: string) =>
      refusal(world.identity.resetPassword({ email: 'ada@rules.example', code, password: secret }))
    expect(await reset('short')).toEqual([422, 'password_too_short'])
    expect(await reset('x'.repeat(73))).toEqual([422, 'password_too_long'])
    expect(await reset('ada@rules.example')).toEqual([422, 'password_is_email'])
    expect(await reset(next)).toBe('not refused')
  })

  it('has the same limit, and the same work in SQL, for known, pending and unknown addresses (F1)', async () => {
    await world.join('ada@known.example')
    await world.identity.signup(application('ada@waiting.example'))
    const shapes: string[][] = []
    for (const email of ['ada@known.example', 'ada@waiting.example', 'nobody@known.example']) {
      shapes.push(await statementsOf(() => world.identity.forgotPassword({ email })))
      for (let n = 1; n < 5; n++) await world.identity.forgotPassword({ email })
      world.time.now += minuteMs
      expect(await refusal(world.identity.forgotPassword({ email }))).toEqual([429, 'too_many_attempts', 59 * 60])
      world.time.now -= minuteMs
    }
    const [known, pending, unknown] = shapes
    expect(known!.length).toBeGreaterThan(5)
    expect(pending).toEqual(unknown)
    expect(unknown).toHaveLength(known!.length)
    const mails = (await world.events()).filter(
      (event) => event.template === 'reset_password' && /known|waiting/.test(String(event.to)),
    )
    expect(new Set(mails.map(({ to }) => to))).toEqual(new Set(['ada@known.example']))
    expect(await refusal(world.identity.resetPassword({ email: 'nobody@known.example', code: '000000', password: next }))).toEqual(wrong) // prettier-ignore
  })

  it('lets somebody in who is locked out: they hold the mailbox', async () => {
    await world.join('ada@locked.example')
    for (let n = 0; n < 6; n++) await refusal(login('ada@locked.example', 'wrong password'))
    expect(await refusal(login('ada@locked.example', password))).toEqual([429, 'too_many_attempts', 15 * 60])
    const code = await forgot('ada@locked.example')
    await world.identity.resetPassword({ email: 'ada@locked.example', code, password: next })
    await login('ada@locked.example', next)
  })

  it('a login with the old password that was being judged meanwhile opens nothing (L3)', async () => {
    await world.join('ada@race.example')
    const code = await forgot('ada@race.example')
    const holder = await world.owner.connect()
    const { rows } = await world.owner.query<{ hash: string }>(
      `select event ->> 'email_hash' as hash from auth.outbox where event ->> 'event_type' = 'password_reset_requested'
       order by id desc limit 1`,
    )
    await holder.query('begin')
    await holder.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`login_failed:${rows[0]!.hash}`])
    const guess = refusal(login('ada@race.example', password))
    // The login has hashed, and waits for its turn.
    for (;;) {
      const { rows: waiting } = await holder.query(`select from pg_locks where locktype = 'advisory' and not granted`)
      if (waiting.length > 0) break
    }
    await world.identity.resetPassword({ email: 'ada@race.example', code, password: next })
    await holder.query('commit')
    holder.release()
    expect(await guess).toEqual([401, 'wrong_credentials'])
    expect(
      await world.count(`auth.sessions s join auth.users u using (user_id) where u.email = 'ada@race.example'`),
    ).toBe(0)
  })
})
