import { describe, expect, test } from 'vitest'
import type { EventTopic } from '../../schemas/index.ts'
import {
  authEvents,
  checkPayload,
  clientEvents,
  communicationEvents,
  eventTopic,
  event,
  array,
  json,
  map,
  researchEvents,
  string,
  topics,
} from '../../schemas/index.ts'

const parse = (text: string) => JSON.parse(text) as Record<string, unknown>

describe('what fits', () => {
  const types = topics.flatMap((topic) => Object.keys(topic.events).map((type) => [topic.name, type, topic] as const))
  test.each(types)('%s %s: its example, as JSON', (_, type, topic) => {
    const example = parse(JSON.stringify(topic.events[type]!.example))
    const checked = checkPayload(topic, type, example)
    expect(checked).toMatchObject({ ok: true, payload: example })
  })

  test('−0 is 0, and what was left out reads as its default', () => {
    const checked = checkPayload(
      clientEvents,
      'client_profile_updated',
      parse('{"fields":{},"profile_source":"x","confidence":-0}'),
    )
    expect(checked.ok && Object.is(checked.payload.confidence, 0)).toBe(true)
    expect(checkPayload(authEvents, 'organization_created', { company_name: 'A', owner_user_id: 'u' })).toMatchObject({
      payload: { domain: null, industry: null, plan_hint: null },
    })
  })

  test('right-to-left override and emoji are text', () => {
    const user_id = '\u202eabc😀é'
    expect(checkPayload(authEvents, 'email_verified', { user_id })).toEqual({
      ok: true,
      payload: { user_id, ip_hash: null },
    })
  })

  test('names of Object.prototype are data in json and maps', () => {
    const text = '{"step":"research","refs":{"constructor":"a","toString":"b"},"attempt":1}'
    const checked = checkPayload(clientEvents, 'compensation_requested', parse(text))
    expect(JSON.stringify(checked.ok && checked.payload)).toBe(text)
    const changed = parse('{"constructor":{"prototype":{"x":1}}}')
    expect(checkPayload(authEvents, 'organization_updated', { changed })).toEqual({
      ok: true,
      payload: { changed, ip_hash: null },
    })
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('what does not', () => {
  const wide = eventTopic({
    name: 'wide_events',
    key: 'O',
    retention: 'forever',
    events: {
      wide: event({ texts: array(string()), more: map(string()), any: json() }, 'public', {
        texts: [],
        more: {},
        any: 1,
      }),
    },
  }) as EventTopic
  const any = (value: unknown) => ({ texts: [], more: {}, any: value })
  const attempt = (value: unknown) => ({ step: 'research', refs: {}, attempt: value })
  const until = (value: unknown) => ({ email_hash: 'x', until: value })

  const refused: readonly [string, EventTopic, string, unknown, string, string][] = [
    ['no object', authEvents, 'email_verified', [], 'wrong_type', ''],
    ['null', authEvents, 'email_verified', null, 'wrong_type', ''],
    ['an unknown type', authEvents, 'toString', {}, 'unknown_type', ''],
    ['an extra field', authEvents, 'email_verified', { user_id: 'u', is_admin: true }, 'unknown_field', 'is_admin'],
    [
      'an envelope field',
      authEvents,
      'email_verified',
      { user_id: 'u', tenant_id: 't2' },
      'unknown_field',
      'tenant_id',
    ],
    [
      '__proto__ as a field',
      authEvents,
      'email_verified',
      parse('{"user_id":"u","__proto__":{"x":1}}'),
      'unknown_field',
      '__proto__',
    ],
    ['a missing field', authEvents, 'email_verified', {}, 'missing_field', 'user_id'],
    ['a number for text', authEvents, 'email_verified', { user_id: 7 }, 'wrong_type', 'user_id'],
    ['2^53+1', authEvents, 'login_locked', parse('{"email_hash":"x","until":9007199254740993}'), 'inexact', 'until'],
    ['1e400', authEvents, 'login_locked', parse('{"email_hash":"x","until":1e400}'), 'wrong_type', 'until'],
    ['"0x10"', authEvents, 'login_locked', until('0x10'), 'wrong_type', 'until'],
    ['""', authEvents, 'login_locked', until(''), 'wrong_type', 'until'],
    ['"12"', authEvents, 'login_locked', until('12'), 'wrong_type', 'until'],
    ['a fraction', authEvents, 'login_locked', until(1.5), 'wrong_type', 'until'],
    ['NaN', authEvents, 'login_locked', until(Number.NaN), 'wrong_type', 'until'],
    ['a bigint', authEvents, 'login_locked', until(5n), 'wrong_type', 'until'],
    ['2^31 in 32 bits', clientEvents, 'compensation_requested', attempt(2 ** 31), 'out_of_range', 'attempt'],
    ['−2^31−1 in 32 bits', clientEvents, 'compensation_requested', attempt(-(2 ** 31) - 1), 'out_of_range', 'attempt'],
    [
      '1e400 as a double',
      researchEvents,
      'competitor_identified',
      parse('{"name":"x","confidence_score":1e400}'),
      'wrong_type',
      'confidence_score',
    ],
    ['outside a closed set', clientEvents, 'step_timed_out', { step: 'coffee' }, 'not_one_of', 'step'],
    [
      '1 for a boolean',
      communicationEvents,
      'contact_preference_changed',
      { contact_id: 'u', channel: 'email', subscribed: 1, preference_source: 'x' },
      'wrong_type',
      'subscribed',
    ],
    ['NUL', authEvents, 'email_verified', { user_id: 'a\0b' }, 'bad_text', 'user_id'],
    ['half a surrogate pair', authEvents, 'email_verified', parse('{"user_id":"\\ud800"}'), 'bad_text', 'user_id'],
    [
      'a text of 64 KiB + 1',
      authEvents,
      'email_verified',
      { user_id: 'é'.repeat(32_768) + 'x' },
      'too_long',
      'user_id',
    ],
    ['10,001 items', wide, 'wide', { texts: new Array(10_001).fill(''), more: {}, any: 1 }, 'too_long', 'texts'],
    ['an item of another type', wide, 'wide', { texts: ['a', 1], more: {}, any: 1 }, 'wrong_type', 'texts[1]'],
    ['a hole in an array', wide, 'wide', { texts: [undefined], more: {}, any: 1 }, 'wrong_type', 'texts[0]'],
    [
      '__proto__ as a map key',
      wide,
      'wide',
      { texts: [], more: parse('{"__proto__":"x"}'), any: 1 },
      'bad_key',
      'more.__proto__',
    ],
    ['NUL in a map key', wide, 'wide', { texts: [], more: { 'a\0': 'x' }, any: 1 }, 'bad_text', 'more.a\0'],
    ['__proto__ deep in json', wide, 'wide', any(parse('[{"a":{"__proto__":1}}]')), 'bad_key', 'any[0].a.__proto__'],
    ['NUL deep in json', wide, 'wide', any({ a: ['\0'] }), 'bad_text', 'any.a[0]'],
    ['2^53+1 in json', wide, 'wide', any(parse('[9007199254740993]')), 'inexact', 'any[0]'],
    ['1e400 in json', wide, 'wide', any(parse('[1e400]')), 'wrong_type', 'any[0]'],
    [
      'json 100,000 deep',
      wide,
      'wide',
      any(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))),
      'too_deep',
      'any' + '[0]'.repeat(64),
    ],
    ['no JSON', wide, 'wide', any(() => 1), 'wrong_type', 'any'],
    [
      'more than 512 KiB',
      wide,
      'wide',
      { texts: new Array(9).fill('x'.repeat(60_000)), more: {}, any: 1 },
      'too_large',
      '',
    ],
  ]
  test.each(refused)('%s', (_, topic, type, payload, code, path) => {
    expect(checkPayload(topic, type, payload)).toEqual({
      ok: false,
      issues: [{ path, code, message: expect.stringMatching(/\S/) as string }],
    })
  })

  test('everything wrong is said, up to fifty', () => {
    const checked = checkPayload(authEvents, 'signup_requested', { email: 1, extra: 2 })
    expect(!checked.ok && checked.issues.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'extra unknown_field',
      'email wrong_type',
      'password_hash_ref missing_field',
      'company_name missing_field',
      'first_name missing_field',
      'last_name missing_field',
      'domain missing_field',
    ])
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`x${index}`, 1]))
    const flooded = checkPayload(authEvents, 'email_verified', many)
    expect(!flooded.ok && flooded.issues.length).toBe(50)
  })
})
