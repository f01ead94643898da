import { expect, test } from 'vitest'
import { shareLinks } from '../../../connectors/keys/index.ts'

const tenantA = '0a000000-0000-4000-8000-000000000001'
const tenantB = '0b000000-0000-4000-8000-000000000001'
const demoId = '0d000000-0000-5000-8000-000000000001'
const links = shareLinks('a secret of thirty-two characters')

test('a token opens to the demo of its tenant, and is the same each time (SL1)', () => {
  const tokens = [tenantA, tenantB].map((tenantId) => links.seal({ tenantId, demoId }))
  expect(tokens.map((token) => links.open(token))).toEqual([
    { tenantId: tenantA, demoId },
    { tenantId: tenantB, demoId },
  ])
  expect(links.seal({ tenantId: tenantA, demoId })).toBe(tokens[0])
  expect(tokens[0]).toMatch(/^[A-Za-z0-9_-]{64}$/)
  // Of two tokens that differ in a tenant alone, nothing is alike.
  expect(tokens[0]!.slice(-22)).not.toBe(tokens[1]!.slice(-22))
})

test('one changed character, another secret or another form does not open (SL2, 5.2.2)', () => {
  const token = links.seal({ tenantId: tenantA, demoId })
  for (let place = 0; place < token.length; place++) {
    const other = token[place] === 'A' ? 'B' : 'A'
    expect(links.open(token.slice(0, place) + other + token.slice(place + 1))).toBeNull()
  }
  expect(shareLinks('another secret of 32 characters!!').open(token)).toBeNull()
  for (const bad of ['', token.slice(1), `${token}A`, `${token.slice(0, 63)}+`, demoId])
    expect(links.open(bad)).toBeNull()
  expect(() => links.seal({ tenantId: 'acme', demoId })).toThrow(TypeError)
})

test('a viewer has one name within a tenant, and another in the next', () => {
  const name = links.viewerOf(tenantA, '192.0.2.1', 'Browser')
  expect(name).toMatch(/^[0-9a-f]{32}$/)
  expect(links.viewerOf(tenantA, '192.0.2.1', 'Browser')).toBe(name)
  const others = [
    links.viewerOf(tenantB, '192.0.2.1', 'Browser'),
    links.viewerOf(tenantA, '192.0.2.2', 'Browser'),
    links.viewerOf(tenantA, '192.0.2.1', 'Other'),
  ]
  expect(new Set([name, ...others]).size).toBe(4)
})
