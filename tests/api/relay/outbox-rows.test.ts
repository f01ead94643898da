import { afterAll, beforeAll } from 'vitest'
import type { Party } from '../../../api/auth/index.ts'
import { MemoryOutbox, postgresOutbox } from '../../../api/relay/index.ts'
import { authEvents, communicationEvents, recordKey } from '../../../schemas/index.ts'
import { outboxContract } from '../../contracts/outbox.ts'
import { openRelayWorld, party } from './world.ts'
import type { RelayWorld } from './world.ts'

let world: RelayWorld
beforeAll(async () => void (world = await openRelayWorld()))
afterAll(() => world[Symbol.asyncDispose]())

outboxContract('PostgreSQL', async () => {
  await world.empty()
  return {
    rows: postgresOutbox(world.relayPool),
    async put(tenant, n, count) {
      await world.put(party(tenant, n), count)
      return (await world.rows()).slice(-count).map(({ id }) => id)
    },
    async look(id) {
      const row = (await world.rows()).find((candidate) => candidate.id === id)!
      return { event: row.event, sentAt: row.sent_at?.getTime() ?? null, failure: row.failure }
    },
    cut: () => world.cutLeader(),
    close: () => Promise.resolve(),
  }
})

let serial = 0
function rowOf(about: Party): Parameters<MemoryOutbox['put']>[0][number] {
  const place = { tenant_id: about.tenantId, organization_id: about.organizationId }
  const topic = ++serial % 3 === 0 ? communicationEvents : authEvents
  const payload = { contact_id: about.userId, user_id: about.userId }
  const event = {
    ...payload,
    ...place,
    event_id: `e${serial}`,
    event_type: 'any',
    event_version: 1,
    timestamp: serial,
    correlation_id: about.organizationId,
    causation_id: '',
    source: 'identity',
    actor: { type: 'user' as const, id: about.userId! },
  }
  return { topic: topic.name, key: recordKey(topic, { ...place, payload }), event }
}

outboxContract('memory', () => {
  const memory = new MemoryOutbox()
  return Promise.resolve({
    rows: memory,
    put: (tenant, n, count) =>
      Promise.resolve(memory.put(Array.from({ length: count }, () => rowOf(party(tenant, n))))),
    look(id) {
      const { event, sentAt, failure } = memory.rows.find((row) => row.id === id)!
      return Promise.resolve({ event, sentAt, failure })
    },
    cut: () => Promise.resolve(memory.cut()),
    close: () => Promise.resolve(),
  })
})
