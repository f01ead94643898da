import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFreeMail, parseEmail, parseHost } from '../../../api/auth/email.ts'
import { freeMailDomains } from '../../../api/auth/free-mail-domains.ts'

describe('parseEmail', () => {
  it.each([
    ['ada@acme.example', 'ada@acme.example', 'acme.example'],
    ['  Ada.Byron+x@ACME.Example. ', 'ada.byron+x@acme.example', 'acme.example'],
    ['ada@müller.de', 'ada@xn--mller-kva.de', 'xn--mller-kva.de'],
    ['ada@ｇｍａｉｌ.com', 'ada@gmail.com', 'gmail.com'],
  ])('%j is %s', (text, address, host) => {
    expect(parseEmail(text)).toEqual({ address, host })
  })

  it.each([
    '',
    'ada',
    '@acme.example',
    'ada@',
    'ada@acme',
    'ada@127.0.0.1',
    'ada@[127.0.0.1]',
    'ada@acme..example',
    'ada@-acme.example',
    'ada..byron@acme.example',
    '.ada@acme.example',
    '"ada"@acme.example',
    'a da@acme.example',
    'ada@evil@acme.example',
    'ada@acme.example/x',
    'ada@acme%2eexample',
    'ada@ac\tme.example',
    'ada@acme.example?x',
    'ada@acme.example#x',
    'ada@acme.example\\x',
    'ada@acme.example:25',
    'ada\0@acme.example',
    'ada@acme\0.example',
    'ada\r\nBcc: x@acme.example',
    'аda@acme.example',
    `${'a'.repeat(65)}@acme.example`,
    `ada@${'a.'.repeat(126)}example`,
  ])('%j is none', (text) => {
    expect(parseEmail(text)).toBeNull()
  })

  it('never throws, and what it accepts it accepts again unchanged', () => {
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.string({ unit: 'binary' })), (text) => {
        const email = parseEmail(text)
        if (email !== null) expect(parseEmail(email.address)).toEqual(email)
      }),
    )
  })
})

describe('parseHost', () => {
  it('takes a host name and nothing around it', () => {
    expect(parseHost('Acme.Example')).toBe('acme.example')
    for (const text of ['https://acme.example', 'acme.example/x', 'acme', '', ' . ', '10.0.0.1', 'a b.example']) {
      expect(parseHost(text)).toBeNull()
    }
  })
})

describe('isFreeMail', () => {
  it('knows at least a hundred hosts, each of them a host name as it is compared', () => {
    expect(freeMailDomains.size).toBeGreaterThanOrEqual(100)
    for (const host of freeMailDomains) expect(parseHost(host)).toBe(host)
  })

  it.each(['gmail.com', 'yahoo.com', 'hotmail.com', 'outlook.com', 'icloud.com', 'uk.yahoo.com', 'me.fastmail.com'])(
    '%s is free mail',
    (host) => expect(isFreeMail(host)).toBe(true),
  )

  it.each(['notgmail.com', 'gmail.com.acme.example', 'gmail.co', 'acme.example', 'com', 'xgmail.com'])(
    '%s is not: whole labels are compared',
    (host) => expect(isFreeMail(host)).toBe(false),
  )
})
