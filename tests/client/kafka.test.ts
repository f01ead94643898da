/** The client into a real Kafka, held to what it does elsewhere; most of the time is waiting. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { openKafkaLog } from '../../connectors/kafka/index.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../deploy/local/kafka.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import { transportContract } from '../contracts/transport.ts'
import { openLogWorld } from './worlds.ts'

const lacks = await kafkaLacks()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`the client is not held to a real Kafka: ${lacks}`)

describe.skipIf(lacks !== null && !inCI)(`a real Kafka${lacks === null ? '' : ` (${lacks})`}`, () => {
  let kafka: Kafka | null = null
  let scratch = ''
  afterAll(async () => {
    await kafka?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  transportContract('into a real Kafka', async () => {
    scratch = await mkdtemp(join(tmpdir(), 'client-kafka-'))
    kafka = await startKafka({ directory: join(scratch, 'kafka'), jars: await kafkaJars() })
    const bootstrap = kafka.bootstrap.split(',')
    return openLogWorld(await openKafkaLog({ bootstrap, clock: machineClock, random: machineRandom }))
  })
})
