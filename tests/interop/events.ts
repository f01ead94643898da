/** Events in our schemas, over a real log, with a registry between: others decode what we encode, and we what they encode. */

import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordBatchBuilder } from '../../connectors/kafka/index.ts'
import type { EmbeddedRegistry } from '../../connectors/registry/index.ts'
import { openConfluentRegistry, openEmbeddedRegistry, registryHandler } from '../../connectors/registry/index.ts'
import { machineClock } from '../../deploy/machine.ts'
import { clientEvents, eventCodec, exampleEvent } from '../../schemas/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import { clock, memoryLog } from '../connectors/registry/fixtures.ts'
import { keyRingOf } from '../schemas/fixtures.ts'
import { forJava, javaReads, markersWritten, weRead, written } from './records.ts'
import type { Seen } from './records.ts'
import type { World } from './world.ts'

const tenants = ['t1', 't2']
/** Without personal fields, which nobody else can read. */
const types = ['compensation_requested', 'step_started', 'stage_changed', 'client_assigned'] as const
const examples = tenants.flatMap((tenant) => types.map((type) => exampleEvent(clientEvents, type, tenant)))

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const valuesOf = (seen: readonly Seen[]): Buffer[] => seen.map(({ value }) => bytesOf(value!))

export function eventsUnderstood(world: () => World): void {
  describe('events', () => {
    let registry: EmbeddedRegistry
    let server: Server
    let url = ''
    let topic = ''
    let codec: Awaited<ReturnType<typeof ours>>

    const ours = async () => {
      const client = await openConfluentRegistry({
        ...{ url, credentials: null, ca: null, schemas: [], clock: machineClock },
        notice: () => undefined,
      })
      return eventCodec(clientEvents, { registry: client, keyRing: keyRingOf(...tenants) })
    }
    const decoded = async (seen: readonly Seen[]): Promise<AnyEvent[]> => {
      const raw = seen.map(({ key, value }) => ({ key: bytesOf(key!), value: bytesOf(value!) }))
      await codec.prepare(raw)
      return raw.map(({ key, value }) => codec.deserialize(value, key) as AnyEvent)
    }
    const events = examples.map(({ event }) => event)

    beforeAll(async () => {
      registry = await openEmbeddedRegistry({ log: memoryLog(), clock })
      server = createServer(registryHandler(registry, { mayWrite: () => true }))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      codec = await ours()
      topic = await world().newTopic(1)
      const producer = await world().log.openProducer({ transactionalId: topic, transactionTimeoutMs: 60_000 })
      const records = new RecordBatchBuilder()
      for (const { event, key } of examples) records.append(event.timestamp, key, codec.serialize(event as never, key))
      producer.begin()
      await producer.append([{ topic, partition: 0, records }])
      await producer.end('commit')
      await markersWritten(world().log, topic)
      await producer.close()
    })
    afterAll(() => {
      server?.closeAllConnections()
      server?.close()
    })

    test('kafkajs with its registry client decodes ours, and we what it encodes', async () => {
      const theirs = new SchemaRegistry({ host: url })
      const { kafkaJs, log, newTopic } = world()
      const back = await newTopic(1)
      const producer = kafkaJs.producer()
      await producer.connect()
      for (const [index, value] of valuesOf(await weRead(log, topic)).entries()) {
        const event = (await theirs.decode(value)) as AnyEvent
        expect(event).toEqual(examples[index]!.event)
        const again = await theirs.encode(value.readUInt32BE(1), event)
        await producer.send({ topic: back, messages: [{ key: examples[index]!.key, value: again }] })
      }
      await producer.disconnect()
      expect(await decoded(await weRead(log, back))).toEqual(events)
    })

    test("Java, with Avro's own reader and writer, decodes ours, and we what it encodes", async () => {
      const { peer, log, newTopic } = world()
      const seen = await javaReads(peer, topic)
      const values = valuesOf(seen).map((value) => value.toString('base64'))
      const rows = await peer.ask<[string, string, string][]>('avro', { registry: url, values })
      expect(rows.map(([, text]) => JSON.parse(text) as unknown)).toEqual(events)
      expect(rows[0]![0]).toBe('com.workflow.events.CompensationRequested')
      const back = await newTopic(1)
      const name = world().name('java')
      await peer.ask('open', { name, config: { 'transactional.id': name, 'compression.type': 'snappy' } })
      await peer.ask('begin', { name })
      const again = rows.map(([, , bytes], index) =>
        written(examples[index]!.key.toString('latin1'), Buffer.from(bytes, 'base64').toString('latin1')),
      )
      await peer.ask('send', { name, topic: back, records: forJava(again, 0) })
      await peer.ask('end', { name, outcome: 'commit' })
      await peer.ask('close', { name })
      await markersWritten(log, back)
      expect(await decoded(await weRead(log, back))).toEqual(events)
    })
  })
}
