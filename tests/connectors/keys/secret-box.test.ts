/** What is kept encrypted under a secret of ours opens under its name, purpose and secret, and under no other. */

import { describe, expect, test } from 'vitest'
import { secretBox } from '../../../connectors/keys/index.ts'

const secret = 'a secret of thirty-two characters'
const box = secretBox(secret, 'letters')
const content = 'to tenant-a: Zoë 😀\0'

describe('a sealed text', () => {
  const sealed = box.seal('tenant-a:1', content)

  test('opens whole, and shows nothing before', () => {
    expect(box.open('tenant-a:1', sealed)).toBe(content)
    expect(secretBox(Buffer.from(secret), 'letters').open('tenant-a:1', sealed)).toBe(content)
    expect(sealed.toString('latin1')).not.toContain('tenant')
    expect(box.seal('tenant-a:1', content).equals(sealed)).toBe(false)
    expect(box.open('tenant-a:1', box.seal('tenant-a:1', ''))).toBe('')
  })

  test('opens under no other name, purpose or secret', () => {
    expect(box.open('tenant-b:1', sealed)).toBeNull()
    expect(secretBox(secret, 'cards').open('tenant-a:1', sealed)).toBeNull()
    expect(secretBox(`${secret}!`, 'letters').open('tenant-a:1', sealed)).toBeNull()
  })

  test('does not open when a bit is another one, or bytes are missing', () => {
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 1
      expect(box.open('tenant-a:1', changed)).toBeNull()
      expect(box.open('tenant-a:1', sealed.subarray(0, at))).toBeNull()
    }
  })
})
