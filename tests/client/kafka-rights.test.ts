/** A producer under a principal of its own at a Kafka that asks: what `producerRights` lists is enough, and nothing of it too much. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventClient, EventToSend } from '../../client/index.ts'
import { kafkaTransport, openClient } from '../../client/index.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { openKafkaLog } from '../../connectors/kafka/index.ts'
import type { KafkaRight } from '../../deploy/kafka-rights.ts'
import { producerRights } from '../../deploy/kafka-rights.ts'
import { allow, disallow } from '../../deploy/local/kafka-acls.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../deploy/local/kafka.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import { memoryRegistry } from '../schemas/fixtures.ts'
import { tenants } from './worlds.ts'

const minutes = 60_000
const lacks = await kafkaLacks()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`a producer's rights are not tried at a real Kafka: ${lacks}`)

const topic = 'communication_events'
const user = 'voice-agent'
const password = 'voice-secret'
const rights = producerRights('agent-7', [topic], true)
const registry = memoryRegistry()
const event = (sequence: number): EventToSend<typeof topic> => ({
  type: 'contact_preference_changed',
  payload: { contact_id: 'u1', channel: 'email', subscribed: true, preference_source: 'x' },
  sequence,
})

describe.skipIf(lacks !== null && !inCI)(`rights${lacks === null ? '' : ` (${lacks})`}`, () => {
  let kafka: Kafka
  let owner: Log
  let scratch = ''
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'client-rights-'))
    const security = { users: { [user]: password } }
    kafka = await startKafka({ directory: join(scratch, 'kafka'), jars: await kafkaJars(), security })
    owner = await openKafkaLog({ bootstrap: [kafka.bootstrap], clock: machineClock, random: machineRandom })
    await owner.createTopics([{ name: topic, partitions: 3, config: {} }])
  }, 5 * minutes)
  afterAll(async () => {
    await owner?.close()
    await kafka?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  const open = (name = 'agent-7'): Promise<EventClient> => {
    const sasl = { mechanism: 'SCRAM-SHA-256', username: user, password } as const
    const log = { bootstrap: [kafka.secured.plain], sasl }
    const options = { name, tenant: tenants[0], deliveryTimeoutMs: 20_000 }
    return openClient({ ...options, transport: kafkaTransport({ log, registry }) })
  }
  /** Rights count a moment after they were given or taken. */
  async function soon<T>(attempt: () => Promise<T>): Promise<T> {
    for (const until = Date.now() + 10_000; ; await sleep(100))
      try {
        return await attempt()
      } catch (error) {
        if (Date.now() > until) throw error
      }
  }
  const sendOnce = async (sequence: number): Promise<unknown> => {
    const client = await open()
    try {
      return await client.send(topic, event(sequence))
    } finally {
      await client.close()
    }
  }

  test(
    'without rights nothing is opened; with them events are sent, by this name alone',
    async () => {
      await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/AUTHORIZATION_FAILED$/) })
      await allow(kafka, user, rights)
      expect(await soon(() => sendOnce(1))).toMatchObject({ sequence: 1, duplicate: false })
      expect(await sendOnce(1)).toMatchObject({ duplicate: true })
      await expect(open('agent-8')).rejects.toMatchObject({ code: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' })
    },
    2 * minutes,
  )

  const each = rights.flatMap((right) => right.may.map((operation): KafkaRight => ({ ...right, may: [operation] })))
  const needed = each.filter(({ may }) => !may.includes('Create'))
  test.each(needed.map((right) => [`${right.may[0]} on ${right.on} ${right.name}`, right] as const))(
    'not without %s',
    async (_, right) => {
      await disallow(kafka, user, [right])
      const isRefused = async (): Promise<void> => {
        const failure = await sendOnce(Date.now()).then(
          () => null,
          (error: unknown) => error as Error & { code: string },
        )
        if (failure === null) throw new Error('it was sent')
        expect(failure.code).toMatch(/^UNAUTHORIZED$|AUTHORIZATION_FAILED$|^UNKNOWN_TOPIC_OR_PARTITION$/)
        expect(failure.message.split('\n')).toHaveLength(1)
      }
      await soon(isRefused)
      await allow(kafka, user, [right])
      await soon(() => sendOnce(Date.now()))
    },
    2 * minutes,
  )
})
