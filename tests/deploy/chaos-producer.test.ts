/** Producers under a few real kills; and the judge is shown what it must find, and what it must not. */

import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kafkaTransport, openClient } from '../../client/index.ts'
import type { Log } from '../../connectors/kafka/index.ts'
import { openMemoryLog, RecordBatchBuilder, RecordCursor } from '../../connectors/kafka/index.ts'
import { readProducerArguments } from '../../deploy/chaos/producer/arguments.ts'
import { checkProducer } from '../../deploy/chaos/producer/check.ts'
import { eventOf, eventsOf, planOf, producer, topic } from '../../deploy/chaos/producer/plan.ts'
import { runProducer } from '../../deploy/chaos/producer/run.ts'
import { kafkaLacks } from '../../deploy/local/kafka.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import { organizationOf, tenantA, tenantB } from '../api/http/world.ts'
import { memoryRegistry } from '../schemas/fixtures.ts'

const seed = 7
const events = 60
const plan = planOf(seed, events, 8)
const tenantIds = [tenantA, tenantB]
const all = new Set(plan.keys())
const registry = memoryRegistry()

const lacks = await kafkaLacks()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`no producer into a real Kafka is killed: ${lacks}`)

async function runWith(...argv: readonly string[]) {
  const options = readProducerArguments(argv, 11)
  if (typeof options === 'string') throw new Error(options)
  return runProducer(options)
}

test('two kills over HTTP, and one of the platform: nobody could tell', async () => {
  const report = await runWith('--via', 'http', '--events', '4000', '--kills', '2', '--platform-kills', '1')
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({ events: 4_000, kills: 2, platform_kills: 1 })
}, 400_000)

test.skipIf(lacks !== null && !inCI)(
  `three kills into Kafka: nobody could tell${lacks === null ? '' : ` (${lacks})`}`,
  async () => {
    const report = await runWith('--via', 'kafka', '--events', '10000', '--kills', '3')
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({ events: 10_000, kills: 3 })
  },
  400_000,
)

describe('the plan', () => {
  test('follows from the seed, counts what it was asked for, and numbers each contact without a gap', () => {
    expect(planOf(seed, events, 8)).toEqual(plan)
    expect(planOf(seed + 1, events, 8)).not.toEqual(plan)
    expect(plan.reduce((sum, { count }) => sum + count, 0)).toBe(events)
    const last = new Map<string, number>()
    for (const { tenant, contact, first, count } of plan) {
      expect(first).toBe((last.get(`${tenant} ${contact}`) ?? 0) + 1)
      last.set(`${tenant} ${contact}`, first + count - 1)
    }
    expect(new Set(plan.map(({ tenant }) => tenant)).size).toBe(2)
  })
})

describe('the checker', () => {
  let log: Log
  beforeEach(async () => {
    log = openMemoryLog({ clock: machineClock, random: machineRandom })
    await log.createTopics([{ name: topic, partitions: 3, config: {} }])
  })
  afterEach(() => log.close())

  async function write(units = plan, name = producer): Promise<void> {
    const client = await openClient({ name, transport: kafkaTransport({ log, registry }) })
    for (const unit of units) {
      const tenantId = tenantIds[unit.tenant]!
      const tenant = { tenantId, organizationId: organizationOf(tenantId) }
      await client.sendBatch(
        topic,
        eventsOf(seed, unit).map((event) => ({ ...event, tenant })),
      )
    }
    await client.close()
  }
  const check = (acknowledged: ReadonlySet<number> = all, ofSeed = seed) =>
    checkProducer(log, registry, { seed: ofSeed, plan, acknowledged, tenantIds })

  /** Appends the first record of the first partition that has one once more. */
  async function repeat(): Promise<void> {
    for (const partition of [0, 1, 2]) {
      const partitions = [{ topic, partition, offset: 0n, maxBytes: 1 << 20 }]
      const [fetched] = await log.fetch({ partitions, isolation: 'read_committed', maxWaitMs: 0 })
      const cursor = new RecordCursor(fetched!, 0n, 'read_committed')
      if (!cursor.next()) continue
      const records = new RecordBatchBuilder()
      records.append(cursor.timestamp, cursor.key(), cursor.value(), cursor.headers())
      const session = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 1_000 })
      await session.append([{ topic, partition, records }])
      return
    }
  }

  test('finds nothing where everything stands once, in order; others write there too', async () => {
    await write()
    await write(plan.slice(0, 3), 'somebody-else')
    expect(await check()).toEqual({ events, findings: [] })
  })
  test('finds what was acknowledged and is not there', async () => {
    await write(plan.slice(0, -1))
    expect((await check()).findings).toEqual([expect.stringMatching(/ was acknowledged and the topic ends at /)])
    expect((await check(new Set([...all].slice(0, -1)))).findings).toEqual([])
  })
  test('finds what stands there twice', async () => {
    await write()
    await repeat()
    const { findings } = await check()
    expect(findings).toContainEqual(expect.stringMatching(/the event id .* stands there a second time/))
    expect(findings).toContainEqual(expect.stringMatching(/ has 1 after \d+$/))
  })
  test('finds a hole', async () => {
    const [index] = [...plan.keys()].filter((at) => plan[at]!.first > 1)
    const hole = plan.findIndex(
      ({ tenant, contact }) => tenant === plan[index!]!.tenant && contact === plan[index!]!.contact,
    )
    await write(plan.filter((_, at) => at !== hole))
    expect((await check()).findings).toContainEqual(expect.stringMatching(/ has \d+ after \d+$/))
  })
  test('finds an event that is not the one that was sent', async () => {
    await write()
    const { findings } = await check(all, seed + 1)
    expect(findings.length).toBeGreaterThan(10)
    expect(findings[0]).toMatch(/is not the event that was sent$/)
    expect(eventOf(seed, plan[0]!, 1)).not.toEqual(eventOf(seed + 1, plan[0]!, 1))
  })
})

describe('its command line', () => {
  test('has defaults, and says in one line what is wrong', () => {
    expect(readProducerArguments(['--program', 'producer', '--via', 'http'], 5)).toEqual({
      ...{ via: 'http', events: 20_000, kills: 10, platformKills: 0, seed: 5, unitEvents: 200, timeoutMin: 30 },
      ...{ keep: false, json: null },
    })
  })
  test.each([
    [[], '--via: undefined is given; wanted http or kafka'],
    [['--via', 'mail'], '--via: mail is given; wanted http or kafka'],
    [['--via', 'http', '--events', 'many'], '--events: many is given; wanted a whole number'],
    [['--via', 'kafka', '--platform-kills', '1'], '--platform-kills: is given with --via kafka; wanted http'],
    [['--via', 'http', '--unit-events', '1001'], '--unit-events: 1001 is given; wanted 1 to 1000'],
  ])('%j', (argv, line) => {
    expect(readProducerArguments(argv, 5)).toBe(line)
  })
})
