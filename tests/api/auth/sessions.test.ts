import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { minuteMs, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
const joined: Record<'a' | 'b', { userId: string; organizationId: string; tenantId: string }> = {} as never
beforeAll(async () => {
  world = await openWorld()
  joined.a = await world.join('ada@a.example')
  joined.b = await world.join('bob@b.example')
})
afterAll(() => world[Symbol.asyncDispose]())

const from = { ip: '::1' }
const login = (email = 'ada@a.example') => world.identity.login({ email, password }, from)
const refresh = (token: string) => world.identity.refresh({ refresh_token: token })
const good = (token: string) =>
  world.identity.authenticate(token).then(
    () => true,
    (problem: { status?: number }) => {
      if (problem.status !== 401) throw problem
      return false
    },
  )
const unauthorized = [401, 'unauthorized']
const lastEvent = async () => (await world.events()).at(-1)

describe('refresh', () => {
  it('rotates: new tokens of the same session, and token_refreshed', async () => {
    const first = await login()
    const second = await refresh(first.refresh_token)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    const [one, two] = [
      await world.identity.authenticate(first.access_token),
      await world.identity.authenticate(second.access_token),
    ]
    expect(two.sessionId).toBe(one.sessionId)
    expect(two.tokenId).not.toBe(one.tokenId)
    expect(await lastEvent()).toMatchObject({
      event_type: 'token_refreshed',
      user_id: joined.a.userId,
      jti: two.tokenId,
    })
  })

  it('keeps only digests', async () => {
    const { refresh_token } = await login()
    const { rows } = await world.owner.query<{ text: string }>(
      `select string_agg(t::text, ' ') as text from auth.refresh_tokens t`,
    )
    expect(rows[0]!.text).not.toContain(refresh_token)
    expect(rows[0]!.text).not.toContain(Buffer.from(refresh_token, 'base64url').toString('hex'))
  })

  it('catalogue 5.0, behaviour 7: a rotated token seen again ends every token of its session, and no other session', async () => {
    const stolen = await login()
    const bystanders = [await login(), await login('bob@b.example')]
    const next = await refresh(stolen.refresh_token)
    expect(await refusal(refresh(stolen.refresh_token))).toEqual(unauthorized)
    expect(await lastEvent()).toMatchObject({
      event_type: 'token_revoked',
      user_id: joined.a.userId,
      reason: 'refresh_reuse',
    })
    expect(await good(stolen.access_token)).toBe(false)
    expect(await good(next.access_token)).toBe(false)
    expect(await refusal(refresh(next.refresh_token))).toEqual(unauthorized)
    for (const bystander of bystanders) {
      expect(await good(bystander.access_token)).toBe(true)
      await refresh(bystander.refresh_token)
    }
  })

  it('one event per revocation, however often the stolen token comes back', async () => {
    const { refresh_token } = await login()
    await refresh(refresh_token)
    await refusal(refresh(refresh_token))
    const before = (await world.events()).length
    await refusal(refresh(refresh_token))
    expect((await world.events()).length).toBe(before)
  })

  it('two at once: one gets tokens, the other is told so, and the session lives', async () => {
    for (let round = 0; round < 10; round++) {
      const { refresh_token } = await login()
      const outcomes = await Promise.allSettled([refresh(refresh_token), refresh(refresh_token)])
      const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(won).toHaveLength(1)
      expect(outcomes.find((outcome) => outcome.status === 'rejected')?.reason).toMatchObject({
        status: 409,
        code: 'refresh_conflict',
      })
      expect(await good(won[0]!.value.access_token)).toBe(true)
      await refresh(won[0]!.value.refresh_token)
    }
  })

  it('two at once in two processes, held until both have looked: the same', async () => {
    const { refresh_token } = await login()
    const holder = await world.owner.connect()
    await holder.query('begin')
    await holder.query('select from auth.sessions for update')
    const attempts = [world.identity, world.another()].map((identity) => identity.refresh({ refresh_token }))
    const settled = Promise.allSettled(attempts)
    await expect
      .poll(async () => {
        const { rows } = await world.owner.query<{ n: number }>(
          `select count(distinct pid)::int as n from pg_locks join pg_stat_activity using (pid)
           where not granted and datname = current_database()`,
        )
        return rows[0]!.n
      })
      .toBe(2)
    await holder.query('commit')
    holder.release()
    const outcomes = await settled
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(outcomes.find((outcome) => outcome.status === 'rejected')?.reason).toMatchObject({
      code: 'refresh_conflict',
    })
  })

  it('ends after 7 days without use', async () => {
    const { refresh_token } = await login()
    world.time.now += 7 * 24 * 60 * minuteMs
    expect(await refusal(refresh(refresh_token))).toEqual(unauthorized)
  })

  it.each(['', 'x', 'x'.repeat(43), `${'x'.repeat(42)}'`, "' or 1=1 --"])(
    '%j is refused like any other',
    async (token) => {
      expect(await refusal(refresh(token))).toEqual(unauthorized)
    },
  )

  it('property: whatever is done with two sessions, a session has at most one unused token, and a reused one ends it', async () => {
    const command = fc.record({
      session: fc.integer({ min: 0, max: 1 }),
      do: fc.constantFrom('newest', 'older', 'logout'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 8 }), async (commands) => {
        const sessions = [
          { tokens: [await login()], alive: true },
          { tokens: [await login('bob@b.example')], alive: true },
        ]
        for (const step of commands) {
          const session = sessions[step.session]!
          const { tokens } = session
          if (step.do === 'logout' && session.alive) {
            await world.identity.logout(await world.identity.authenticate(tokens.at(-1)!.access_token))
            session.alive = false
          } else if (step.do === 'newest' && session.alive) tokens.push(await refresh(tokens.at(-1)!.refresh_token))
          else {
            const token = tokens[step.do === 'older' ? 0 : tokens.length - 1]!
            const reused = tokens.length > 1 && step.do === 'older'
            if (!session.alive || reused) expect(await refusal(refresh(token.refresh_token))).toEqual(unauthorized)
            if (reused) session.alive = false
          }
          for (const { tokens, alive } of sessions) {
            for (const { access_token } of tokens) expect(await good(access_token)).toBe(alive)
          }
        }
      }),
      { numRuns: 15 },
    )
  })
})

describe('logout', () => {
  it('ends the session in every process with its next request, once, and no other session', async () => {
    const [mine, other] = [await login(), await login()]
    const principal = await world.identity.authenticate(mine.access_token)
    const elsewhere = world.another()
    await elsewhere.authenticate(mine.access_token)
    const before = (await world.events()).length
    await world.identity.logout(principal)
    await world.identity.logout(principal)
    expect(await refusal(elsewhere.authenticate(mine.access_token))).toEqual(unauthorized)
    expect(await good(mine.access_token)).toBe(false)
    expect(await refusal(refresh(mine.refresh_token))).toEqual(unauthorized)
    expect(await good(other.access_token)).toBe(true)
    const events = (await world.events()).slice(before)
    expect(typesOf(events)).toEqual(['token_revoked'])
    expect(events[0]).toMatchObject({ user_id: joined.a.userId, jti: principal.tokenId, reason: 'logout' })
  })
})

describe('authenticate', () => {
  it('answers every failure with one body', async () => {
    const { access_token } = await login()
    const principal = await world.identity.authenticate(access_token)
    await world.identity.logout(principal)
    const failures = [access_token, 'x', '', `${access_token}x`, 'x'.repeat(65_536)]
    const bodies = await Promise.all(
      failures.map((token) => world.identity.authenticate(token).catch((problem: unknown) => JSON.stringify(problem))),
    )
    expect(new Set(bodies).size).toBe(1)
  })

  it('gives the role a member has now, not the one they logged in with', async () => {
    const { access_token } = await login()
    await world.owner.query(`update auth.users set role = 'member' where email = 'ada@a.example'`)
    expect(await world.identity.authenticate(access_token)).toMatchObject({ role: 'member' })
    await world.owner.query(`update auth.users set role = 'owner' where email = 'ada@a.example'`)
  })

  it('refuses a token of a process with another secret', async () => {
    const { access_token } = await login()
    await using stranger = await openWorld()
    expect(await refusal(stranger.identity.authenticate(access_token))).toEqual(unauthorized)
  })
})

describe('profile', () => {
  it('is one’s own, and says nothing of another tenant', async () => {
    const token = await login('bob@b.example')
    const profile = await world.identity.profile(await world.identity.authenticate(token.access_token))
    expect(profile).toEqual({
      user_id: joined.b.userId,
      email: 'bob@b.example',
      first_name: 'Ada',
      last_name: 'Byron',
      user_type: 'client',
      role: 'owner',
      organization: {
        organization_id: joined.b.organizationId,
        tenant_id: joined.b.tenantId,
        company_name: 'Acme',
        domain: 'b.example',
        industry: null,
      },
    })
  })
})
