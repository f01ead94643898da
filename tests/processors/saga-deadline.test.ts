/**
 * The lifecycle's research deadline over an hour in which everything was down: the saga must not give research up while
 * its result, or the answer that leads to it, is still to be read (engine R6, T4), and must give it up once without.
 */

import { afterEach, expect, test } from 'vitest'
import { answer, created, everything, seconds, start } from '../../processors/research/scenario-data.ts'
import type { ScenarioTenant } from '../../processors/define.ts'
import type { Told } from '../../processors/scenario.ts'
import { scenarioEvent } from '../../processors/scenario.ts'
import { compileService, sagaDefaults, services } from '../../processors/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import { authEvents, clientEvents, recordKey, researchEvents, uuidv5 } from '../../schemas/index.ts'
import type { DriverOptions } from '../../topology/testing/index.ts'
import { TopologyDriver } from '../../topology/testing/index.ts'
import { codec, keyRing } from './codecs.ts'

const tenants: readonly ScenarioTenant[] = ['a', 'b']
const hour = 3_600_000
const graceMs = 60_000

const service = (name: string) => {
  const found = services().find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no service ${name}`)
  return compileService(found, { event: codec, keyRing })
}

const open: TopologyDriver[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((driver) => driver.close()))
})

async function run(names: readonly string[], options: Partial<DriverOptions> = {}): Promise<TopologyDriver> {
  const settings = { timerRestartGraceMs: graceMs }
  const driver = await TopologyDriver.start({
    ...{ topologies: names.map(service), partitions: 3, now: start, settings },
    ...options,
  })
  open.push(driver)
  return driver
}

const goOn = ({ log, databases, clock }: TopologyDriver): Partial<DriverOptions> => ({ log, databases, clock })

async function tell(driver: TopologyDriver, { topic, event }: Told): Promise<void> {
  const key = Buffer.from(recordKey(topic, { ...event, payload: event }))
  await keyRing.load([event.tenant_id])
  const value = codec(topic).serialize(event, key)
  await driver.send(topic.name, { key, value, timestamp: event.timestamp })
}

async function eventsOf(driver: TopologyDriver, topic: { readonly name: string }, type: string): Promise<AnyEvent[]> {
  const records = await driver.read(topic.name)
  await codec(topic).prepare(records)
  const events = records.flatMap(({ key, value }) => (value === null ? [] : [codec(topic).deserialize(value, key)]))
  return events.filter(({ event_type }) => event_type === type)
}

const timedOut = async (driver: TopologyDriver): Promise<string[]> =>
  (await eventsOf(driver, clientEvents, 'step_timed_out')).map(({ tenant_id }) => tenant_id).sort()

const completedSteps = async (driver: TopologyDriver): Promise<string[]> =>
  (await eventsOf(driver, clientEvents, 'step_completed')).map(({ tenant_id }) => tenant_id).sort()

function toldOf(tenant: ScenarioTenant, what: string, type: string, at: number, payload: object): AnyEvent {
  const id = uuidv5(JSON.stringify(['saga deadline', what, tenant]))
  return scenarioEvent(tenant, type, payload as Readonly<Record<string, unknown>>, at, id, { type: 'user', id: 'u1' })
}

/** Both tenants' organizations are created, with the saga and research at work; then all is down. */
async function createdThenDown(): Promise<TopologyDriver> {
  const driver = await run(['lifecycle-saga', 'research'])
  if (!('payload' in created)) throw new Error('the scenario begins with an event')
  for (const tenant of tenants)
    await tell(driver, { topic: authEvents, event: toldOf(tenant, 'created', created.type, start, created.payload) })
  await driver.settle()
  expect(await eventsOf(driver, clientEvents, 'step_started')).toHaveLength(2)
  await driver.close()
  open.length = 0
  return driver
}

/** The providers' answers that complete research, a minute after the start: written while everything is down. */
async function answerAll(driver: TopologyDriver): Promise<void> {
  const calls = await eventsOf(driver, researchEvents, 'call_requested')
  expect(calls).toHaveLength(2)
  for (const call of calls) {
    const tenant = tenants.find((candidate) => call.tenant_id === `tenant-${candidate}`) ?? 'a'
    const { call_id, provider, operation, attempt } = call
    const given = answer(seconds(60), everything)
    const payload = {
      ...{ call_id, provider, operation, attempt, class: 'ok', retry_at: null, status: 200 },
      ...{ output_ref: null, error: null, sandbox: 'sandbox' },
      ...('answer' in given ? given.answer : {}),
    }
    const event = toldOf(tenant, 'answered', 'call_answered', seconds(60), payload)
    await tell(driver, { topic: researchEvents, event })
  }
}

test('research completed stands in the backlog: the step is completed, no deadline fires (R6, 4.5.3)', async () => {
  const down = await createdThenDown()
  await answerAll(down)
  // Research comes back for a moment, alone: its result is what waits for the saga.
  const research = await run(['research'], goOn(down))
  await research.settle()
  expect(await eventsOf(research, researchEvents, 'research_completed')).toHaveLength(2)
  await research.close()
  open.length = 0
  await down.clock.turnTo(start + hour)
  const driver = await run(['lifecycle-saga'], goOn(down))
  await driver.advance(2 * hour)
  expect(await timedOut(driver)).toEqual([])
  expect(await completedSteps(driver)).toEqual(['tenant-a', 'tenant-b'])
})

test('the answer is one service upstream, which comes back later than the saga: no deadline fires (T4)', async () => {
  const down = await createdThenDown()
  await answerAll(down)
  await down.clock.turnTo(start + hour)
  const saga = await run(['lifecycle-saga'], goOn(down))
  await saga.advance(graceMs - 20_000)
  expect(await completedSteps(saga)).toEqual([])
  const research = await run(['research'], goOn(down))
  await research.settle()
  await saga.advance(2 * hour)
  expect(await timedOut(saga)).toEqual([])
  expect(await completedSteps(saga)).toEqual(['tenant-a', 'tenant-b'])
})

test('nothing came: after the grace the step times out once for each tenant, also over another restart (T2, 4.5.3)', async () => {
  const down = await createdThenDown()
  await down.clock.turnTo(start + sagaDefaults.withinMs.research + hour)
  const both = ['lifecycle-saga', 'research']
  const driver = await run(both, goOn(down))
  await driver.advance(graceMs - 1_000)
  expect(await timedOut(driver)).toEqual([])
  await driver.advance(2_000)
  expect(await timedOut(driver)).toEqual(['tenant-a', 'tenant-b'])
  await driver.close()
  open.length = 0
  const again = await run(both, goOn(down))
  await again.advance(2 * hour)
  expect(await timedOut(again)).toEqual(['tenant-a', 'tenant-b'])
})
