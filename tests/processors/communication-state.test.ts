import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { communicationState } from '../../processors/communication/state.ts'
import type { KeyRing } from '../../schemas/index.ts'
import { stateCodec } from '../../schemas/index.ts'

const keyRing: KeyRing = {
  load: () => Promise.resolve(),
  get: (tenantId) => createHash('sha256').update(tenantId).digest(),
}

test('a contact that was written before there were consents has sent transactional mail, and wished for nothing', () => {
  const [first] = communicationState.earlier ?? []
  const before = stateCodec({ store: communicationState.store, version: 1, fields: first!.fields }, { keyRing })
  const after = stateCodec(communicationState, { keyRing })
  const message = { message_id: 'm1', dedupe_key: 'k1', at: 1_767_225_600_000, status: 'sent' }
  for (const tenant of ['tenant-a', 'tenant-b']) {
    const key = Buffer.from(`${tenant}|u1`)
    expect(after.deserialize(before.serialize({ messages: [message] }, key), key)).toEqual({
      messages: [{ ...message, call: null, purpose: 'transactional' }],
      wish: 'unknown',
      bounced: false,
      complained: false,
    })
  }
})
