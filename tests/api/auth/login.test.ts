import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nobody } from '../../../api/auth/index.ts'
import { application, minuteMs, openWorld, password, refusal, typesOf } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => void (world = await openWorld()))
afterAll(() => world[Symbol.asyncDispose]())

const from = { ip: '203.0.113.7' }
const login = (email: string, given: string = password) => world.identity.login({ email, password: given }, from)
const wrong = [401, 'wrong_credentials']
const since = async (before: number) => (await world.events()).slice(before)

describe('login', () => {
  it('with the right password: tokens that say who, and login_succeeded with a hashed address', async () => {
    const joined = await world.join('ada@login.example')
    const before = (await world.events()).length
    const tokens = await login(' Ada@LOGIN.example ')
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 86_400 })
    expect(await world.identity.authenticate(tokens.access_token)).toMatchObject({
      kind: 'user',
      userId: joined.userId,
      tenantId: joined.tenantId,
      organizationId: joined.organizationId,
      role: 'owner',
      userType: 'client',
    })
    const [event, ...others] = await since(before)
    expect(others).toEqual([])
    expect(event).toMatchObject({ event_type: 'login_succeeded', user_id: joined.userId, method: 'password' })
    expect(event!.ip_hash).toMatch(/^[0-9a-f]{32}$/)
    expect(JSON.stringify(event)).not.toContain(from.ip)
  })

  it('with a wrong one, or one that is right up to byte 72: 401, and login_failed without the address', async () => {
    const long = 'x'.repeat(72)
    await world.identity.signup(application('ada@long.example', { password: long }))
    await world.identity.verifyEmail({ email: 'ada@long.example', code: await world.codeOf('ada@long.example') })
    const before = (await world.events()).length
    expect(await refusal(login('ada@long.example', `${long}y`))).toEqual(wrong)
    expect(await refusal(login('ada@long.example', `${long}\0`))).toEqual(wrong)
    expect(await refusal(login('ada@long.example', long.toUpperCase()))).toEqual(wrong)
    const events = await since(before)
    expect(
      events.map(({ event_type, reason, attempts_in_window }) => [event_type, reason, attempts_in_window]),
    ).toEqual([
      ['login_failed', 'wrong_password', 1],
      ['login_failed', 'wrong_password', 2],
      ['login_failed', 'wrong_password', 3],
    ])
    expect(JSON.stringify(events)).not.toContain('ada@long.example')
    await login('ada@long.example', long)
  })

  it('before the address is verified: 403 for the right password, 401 for a wrong one', async () => {
    await world.identity.signup(application('ada@early.example'))
    expect(await refusal(login('ada@early.example'))).toEqual([403, 'email_not_verified'])
    expect(await refusal(login('ada@early.example', 'wrong password'))).toEqual(wrong)
  })
})

describe('catalogue 5.0, behaviour 4: five failures in 15 sliding minutes', () => {
  it('the sixth is locked even with the right password, with Retry-After and one login_locked; others are not', async () => {
    await world.join('ada@lock.example')
    await world.join('bob@unaffected.example')
    const before = (await world.events()).length
    for (let n = 0; n < 5; n++) {
      expect(await refusal(login('ada@lock.example', 'wrong password'))).toEqual(wrong)
      world.time.now += minuteMs
    }
    const until = world.time.now + 10 * minuteMs
    for (const given of [password, 'wrong password', password]) {
      expect(await refusal(login('ada@lock.example', given))).toEqual([429, 'too_many_attempts', 10 * 60])
    }
    const events = await since(before)
    expect(typesOf(events)).toEqual([...Array.from({ length: 5 }, () => 'login_failed'), 'login_locked'])
    expect(events.at(-1)).toMatchObject({ until, email_hash: events[0]!.email_hash })
    await login('bob@unaffected.example')
  })

  it('slides: when the oldest failure leaves the window there is one more try, and a new lock is a new event', async () => {
    world.time.now += 10 * minuteMs
    const before = (await world.events()).length
    expect(await refusal(login('ada@lock.example', 'wrong password'))).toEqual(wrong)
    expect(await refusal(login('ada@lock.example'))).toEqual([429, 'too_many_attempts', 60])
    expect(typesOf(await since(before))).toEqual(['login_failed', 'login_locked'])
    world.time.now += minuteMs
    await login('ada@lock.example')
  })

  it('a success resets', async () => {
    await world.join('ada@reset.example')
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 4; n++) expect(await refusal(login('ada@reset.example', 'wrong password'))).toEqual(wrong)
      await login('ada@reset.example')
    }
  })

  it('an unknown address behaves the same, and its events are about nobody', async () => {
    const before = (await world.events()).length
    for (let n = 0; n < 5; n++) expect(await refusal(login('ghost@lock.example', 'wrong password'))).toEqual(wrong)
    expect(await refusal(login('ghost@lock.example', 'wrong password'))).toEqual([429, 'too_many_attempts', 15 * 60])
    const events = await since(before)
    expect(typesOf(events)).toEqual([...Array.from({ length: 5 }, () => 'login_failed'), 'login_locked'])
    for (const event of events) expect(event).toMatchObject({ tenant_id: nobody, organization_id: nobody })
  })

  it('what is no address at all is counted and answered the same', async () => {
    for (let n = 0; n < 5; n++) expect(await refusal(login('not an address', 'wrong password'))).toEqual(wrong)
    expect(await refusal(login('Not an address', 'wrong password'))).toEqual([429, 'too_many_attempts', 15 * 60])
  })

  it('thirty guesses at once learn five answers, though one of them was right', async () => {
    await world.join('ada@burst.example')
    const guesses = Array.from({ length: 30 }, (_, n) =>
      refusal(login('ada@burst.example', n === 29 ? password : `wrong ${n}`)),
    )
    const answers = await Promise.all(guesses)
    const told = answers.filter((answer) => Array.isArray(answer) && answer[0] === 401)
    const locked = answers.filter((answer) => Array.isArray(answer) && answer[0] === 429)
    expect(told).toHaveLength(5)
    expect(locked).toHaveLength(25)
  })

  it('the lock holds in another process, and after a restart', async () => {
    await world.join('ada@process.example')
    for (let n = 0; n < 5; n++) await refusal(login('ada@process.example', 'wrong password'))
    const answer = world.another().login({ email: 'ada@process.example', password }, from)
    expect(await refusal(answer)).toEqual([429, 'too_many_attempts', 15 * 60])
  })
})

describe('sweep', () => {
  it('deletes what no answer depends on, and nothing else', async () => {
    const { refresh_token } = await login('ada@login.example')
    await refusal(login('ada@login.example', 'wrong password'))
    await world.identity.sweep()
    expect(await world.count('auth.attempts')).toBeGreaterThan(0)
    await world.identity.refresh({ refresh_token })
    world.time.now += 9 * 24 * 60 * minuteMs
    await world.identity.sweep()
    for (const table of ['attempts', 'lockouts', 'codes', 'sessions', 'refresh_tokens']) {
      expect([table, await world.count(`auth.${table}`)]).toEqual([table, 0])
    }
    expect(await world.count('auth.users')).toBeGreaterThan(0)
  })
})
