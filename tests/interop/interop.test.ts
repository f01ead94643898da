/**
 * We and the other clients of Kafka understand each other, on a real broker: the Java client, kafkajs, kcat and Kafka's own
 * tools read what we write, and we read what they write.
 */

import { afterAll, beforeAll, describe } from 'vitest'
import { eventsUnderstood } from './events.ts'
import { groupsSeen } from './groups.ts'
import { samePartitions } from './partitions.ts'
import { theyRead } from './they-read.ts'
import { weReadThem } from './we-read.ts'
import type { World } from './world.ts'
import { openWorld, whyNoInterop, whyNoKcat } from './world.ts'

const minutes = 60_000
const lacks = await whyNoInterop()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`no other client of Kafka is asked: ${lacks}`)
const noKcat = lacks === null ? await whyNoKcat() : lacks

describe.skipIf(lacks !== null && !inCI)(`interoperability${lacks === null ? '' : ` (${lacks})`}`, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, 3 * minutes)
  afterAll(() => world?.close(), minutes)

  theyRead(() => world, noKcat)
  weReadThem(() => world, noKcat)
  eventsUnderstood(() => world)
  samePartitions(() => world)
  groupsSeen(() => world)
})
