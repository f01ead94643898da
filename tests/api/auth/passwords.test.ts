import bcrypt from 'bcrypt'
import { describe, expect, it } from 'vitest'
import { checkNewPassword, isHashable, PasswordHasher } from '../../../api/auth/passwords.ts'

const email = { address: 'ada@acme.example', host: 'acme.example' }
const codeOf = (password: string): string | null => {
  try {
    checkNewPassword(password, email)
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}
/** Stands still unless a test moves it. */
const clock = { time: 0, now: () => clock.time }
const hasher = (limits: { concurrency?: number; queue?: number; longestWaitMs?: number } = {}): PasswordHasher =>
  new PasswordHasher({ cost: 4, concurrency: 2, queue: 8, longestWaitMs: 60_000, ...limits }, 'decoy', clock)

describe('rules for a new password (bad input 31)', () => {
  it.each([
    ['1234567', 'password_too_short'],
    ['😀'.repeat(7), 'password_too_short'],
    ['x'.repeat(73), 'password_too_long'],
    ['é€😀'.repeat(25), 'password_too_long'],
    ['correct\0horse', 'password_has_nul'],
    ['correct\ud800horse', 'password_not_text'],
    ['ada@acme.example', 'password_is_email'],
    [' ADA@acme.example ', 'password_is_email'],
  ])('%j breaks %s', (password, code) => expect(codeOf(password)).toBe(code))

  it.each(['12345678', 'x'.repeat(72), '😀'.repeat(18), 'пароль длинный', ' spaces count '])('%j is fine', (password) =>
    expect(codeOf(password)).toBeNull(),
  )
})

describe('PasswordHasher', () => {
  it('answers 503 to who waited too long instead of serving late', async () => {
    const hashing = hasher({ concurrency: 1, longestWaitMs: 1000 })
    await hashing.hash('after the decoy')
    const first = hashing.hash('first')
    const second = hashing.hash('second')
    clock.time += 1001
    await expect(second).rejects.toMatchObject({ status: 503, code: 'busy' })
    await expect(first).resolves.toMatch(/^\$2/)
  })

  it('tells passwords apart by case and by a trailing space', async () => {
    const hashing = hasher()
    const hash = await hashing.hash('Correct Horse')
    expect(await hashing.matches('Correct Horse', hash)).toBe(true)
    expect(await hashing.matches('correct horse', hash)).toBe(false)
    expect(await hashing.matches('Correct Horse ', hash)).toBe(false)
  })

  it('never finds a password equal by truncation, where bcrypt itself would', async () => {
    const whole = 'x'.repeat(72)
    const hash = await hasher().hash(whole)
    expect(await bcrypt.compare(`${whole}!`, hash)).toBe(true)
    expect(await hasher().matches(`${whole}!`, hash)).toBe(false)
    expect(await hasher().matches(`${whole}\0`, hash)).toBe(false)
    expect(isHashable(whole)).toBe(true)
  })

  it('matches nobody against the decoy', async () => {
    expect(await hasher().matches('decoy', null)).toBe(false)
    expect(await hasher().matches('', null)).toBe(false)
  })

  it('keeps the event loop free while it hashes', async () => {
    let turns = 0
    const ticking = setInterval(() => turns++, 1)
    await new PasswordHasher({ cost: 10, concurrency: 1, queue: 1, longestWaitMs: 60_000 }, 'decoy', clock).hash(
      'Correct Horse',
    )
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(5)
  })

  it('runs a bounded number at a time, queues a bounded number, and answers 503 with Retry-After beyond', async () => {
    const hashing = hasher({ concurrency: 1, queue: 2 })
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => hashing.hash('Correct Horse')))
    const refused = results.filter((result) => result.status === 'rejected').map((result) => result.reason as unknown)
    // The decoy's own hash holds the only place at first.
    expect(refused).toHaveLength(3)
    for (const problem of refused) {
      expect(problem).toMatchObject({
        status: 503,
        code: 'busy',
        headers: { 'Retry-After': expect.any(String) as string },
      })
    }
    await expect(hashing.hash('again')).resolves.toMatch(/^\$2b\$04\$/)
  })
})
