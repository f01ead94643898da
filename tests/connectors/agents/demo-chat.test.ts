/** The simulated agent of a demo as a program of the engine: one answer for each message, whatever fails. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ChatModel } from '../../../connectors/agents/index.ts'
import { defaultDemoChatSettings } from '../../../connectors/agents/index.ts'
// Loaded here, so that no test waits for it by a clock that it turns itself.
import { exchangesOf } from '../../../connectors/agents/demo-chat-graph.ts'
import { sentence } from '../../../connectors/agents/demo-chat-sentences.ts'
import { RowOverlay } from '../../../connectors/agents/row-overlay.ts'
import type { Log, ProducerSession } from '../../../connectors/kafka/index.ts'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import type { AnyEvent } from '../../../schemas/index.ts'
import { fieldCipher } from '../../../schemas/index.ts'
import { memoryDatabases } from '../../../state-stores/index.ts'
import { HandClock, TopologyDriver } from '../../../topology/testing/index.ts'
import { header, override, random, spin, t0, turnedUntil, useDrivers } from '../../topology/runtime/harness.ts'
import type { Codec, Tenant } from './world.ts'
import {
  asked,
  chatProgram,
  demoEvent,
  ended,
  fakeModel,
  folded,
  generated,
  ok,
  openCodec,
  replies,
  say,
  spoken,
  tenants,
  textOf,
} from './world.ts'

const { start, restart, adopt } = useDrivers()

const threadsChangelog = 'demo-chat-threads-changelog'

/** What the conversations of a driver's log say, by tenant: the changelog alone is read. */
async function transcripts({ keyRing }: Codec, driver: TopologyDriver, session = 'v1') {
  const rows = new RowOverlay(folded(await driver.read(threadsChangelog)))
  const of = async (tenant: Tenant) => {
    const cipher = fieldCipher(keyRing, tenant) ?? expect.unreachable()
    const exchanges = await exchangesOf({ rows, cipher }, `${tenant}|d1|${session}`)
    return [tenant, exchanges.map(({ question, reply }) => `${question} ${reply}`)] as const
  }
  return Object.fromEntries(await Promise.all(tenants.map(of)))
}

describe('a conversation', () => {
  test('each message is answered once, in order, with its own history and its own tenant only (DC1, DC2)', async () => {
    const codec = await openCodec()
    const model = fakeModel()
    const driver = await start({ topologies: [chatProgram(codec, model, new HandClock(t0))], now: t0, partitions: 2 })
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const [id, text] of [
      ['m1', 'Where is my parcel?'],
      ['m2', 'And now?'],
    ] as const)
      // prettier-ignore
      for (const tenant of tenants) await say(codec, driver, asked(tenant, id, text))
    await say(codec, driver, asked('acme', 'm1', 'Somebody else', 'v2'))
    await driver.settle()
    const told = await replies(codec, driver)
    expect(told.map(spoken).toSorted()).toEqual([
      'acme v1 m1: acme 1: Where is my parcel?',
      'acme v1 m2: acme 3: And now?',
      'acme v2 m1: acme 1: Somebody else',
      'globex v1 m1: globex 1: Where is my parcel?',
      'globex v1 m2: globex 3: And now?',
    ])
    const [first] = told.filter((event) => event.tenant_id === 'acme')
    expect(first).toMatchObject({
      causation_id: asked('acme', 'm1', '').event_id,
      correlation_id: 'l1',
      organization_id: 'o1',
      actor: { type: 'ai_agent', id: 'demo-chat' },
      role: 'assistant',
      finding_ids: ['f1'],
    })
    for (const { system, tenantId } of model.requests.filter(({ schema }) => schema.name === 'answer'))
      expect(system).toContain(`made for ${tenantId} Ltd`)
  })

  test('the same event again changes nothing', async () => {
    const codec = await openCodec()
    const driver = await start({ topologies: [chatProgram(codec, fakeModel(), new HandClock(t0))], now: t0 })
    for (const tenant of tenants) for (let n = 0; n < 2; n++) await say(codec, driver, asked(tenant, 'm1', 'Q?'))
    await driver.settle()
    expect((await replies(codec, driver)).map(spoken).toSorted()).toHaveLength(2)
  })

  test('goes on after a restart, from the changelog alone', async () => {
    const codec = await openCodec()
    const clock = new HandClock(t0)
    const options = { topologies: [chatProgram(codec, fakeModel(), clock)], clock }
    const driver = await start(options)
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Where?'))
    await driver.settle()
    await driver.close()
    const again = await start({ ...options, log: driver.log, databases: memoryDatabases() })
    for (const tenant of tenants) await say(codec, again, asked(tenant, 'm2', 'And now?'))
    await again.settle()
    expect((await replies(codec, again)).slice(2).map(spoken).toSorted()).toEqual([
      'acme v1 m2: acme 3: And now?',
      'globex v1 m2: globex 3: And now?',
    ])
  })

  test('nothing readable of what is said stands in the topics of the application (DC3)', async () => {
    const codec = await openCodec()
    const driver = await start({ topologies: [chatProgram(codec, fakeModel(), new HandClock(t0))], now: t0 })
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Ada Lovelace asks'))
    await driver.settle()
    const names = (await driver.log.metadata()).map(({ name }) => name)
    expect(names).toContain(threadsChangelog)
    for (const name of names)
      for (const { value } of await driver.read(name)) expect(value?.includes('Lovelace') ?? false, name).toBe(false)
    expect(await transcripts(codec, driver)).toEqual({
      acme: ['Ada Lovelace asks acme 1: Ada Lovelace asks'],
      globex: ['Ada Lovelace asks globex 1: Ada Lovelace asks'],
    })
  })

  test('a tenant whose key was destroyed gets no answer, and its rows go; the other one does (DC3)', async () => {
    const codec = await openCodec()
    const model = fakeModel()
    const driver = await start({ topologies: [chatProgram(codec, model, new HandClock(t0))], now: t0 })
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Q?'))
    await driver.settle()
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm2', 'Q?'))
    codec.keyRing.erase('acme')
    const before = model.requests.length
    await driver.settle()
    expect(model.requests.slice(before).map(({ tenantId }) => tenantId)).not.toContain('acme')
    const threads = folded(await driver.read(threadsChangelog)).map(([key]) => key.toString().split('\0')[1])
    expect(new Set(threads)).toEqual(new Set(['globex|d1|v1']))
    expect(await driver.read('demo_events.dlq')).toEqual([])
  })
})

describe('a demo (DD1, DD2)', () => {
  test('a message takes the demo as it stands; an older version does not come back', async () => {
    const codec = await openCodec()
    const model = fakeModel()
    const driver = await start({ topologies: [chatProgram(codec, model, new HandClock(t0))], now: t0 })
    const answeredFor = (): string[] => model.requests.filter(({ schema }) => schema.name === 'answer').map(({ system }) => /made for (.*?)\./.exec(system)?.[1] ?? '') // prettier-ignore
    await say(codec, driver, asked('acme', 'm0', 'Too early?'))
    await say(codec, driver, generated('globex', 1, 'Globex'))
    for (const [version, company] of [
      [1, 'First'],
      [3, 'Third'],
      [2, 'Second'],
    ] as const)
      // prettier-ignore
      await say(codec, driver, generated('acme', version, company))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Q?'))
    await driver.settle()
    expect(answeredFor().toSorted()).toEqual(['Globex', 'Third'])
    expect((await replies(codec, driver)).map(spoken)).toContain(`acme v1 m0: ${sentence('neutral', 'en')}`)
  })

  test('one that ended answers nobody and forgets its conversations; another tenant keeps its own', async () => {
    const codec = await openCodec()
    const driver = await start({ topologies: [chatProgram(codec, fakeModel(), new HandClock(t0))], now: t0 })
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const tenant of tenants) for (const session of ['v1', 'v2']) await say(codec, driver, asked(tenant, 'm1', 'Q?', session)) // prettier-ignore
    await driver.settle()
    await say(codec, driver, ended('acme'))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm2', 'Still there?'))
    await driver.settle()
    const told = (await replies(codec, driver)).slice(4).map(spoken)
    expect(told).toEqual(['globex v1 m2: globex 3: Still there?'])
    const threads = folded(await driver.read(threadsChangelog)).map(([key]) => key.toString().split('\0')[1])
    expect(new Set(threads)).toEqual(new Set(['globex|d1|v1', 'globex|d1|v2']))
    await say(codec, driver, generated('acme', 2))
    await say(codec, driver, asked('acme', 'm3', 'Again?'))
    await driver.settle()
    expect((await replies(codec, driver)).slice(5).map(spoken)).toEqual(['acme v1 m3: acme 1: Again?'])
  })

  test.each(['d1|v1', 'd\0'])('an id that could be two is a dead letter: %j', async (demo) => {
    const codec = await openCodec()
    const driver = await start({ topologies: [chatProgram(codec, fakeModel(), new HandClock(t0))], now: t0 })
    for (const tenant of tenants) await say(codec, driver, { ...asked(tenant, 'm1', 'Q?'), demo_id: demo })
    await driver.settle()
    expect(await replies(codec, driver)).toEqual([])
    const dead = await driver.read('demo_events.dlq')
    expect(dead.map((record) => header(record, 'dlq-reason'))).toEqual(['bad_value', 'bad_value'])
  })

  test('what others say on the topic is none of its business', async () => {
    const codec = await openCodec()
    const model = fakeModel()
    const driver = await start({ topologies: [chatProgram(codec, model, new HandClock(t0))], now: t0 })
    const cta = { demo_id: 'd1', viewer_hash: 'h', session_id: 'v1', cta: 'pilot' }
    for (const tenant of tenants) await say(codec, driver, demoEvent(tenant, 'demo_cta_clicked', '1', cta))
    await driver.settle()
    expect([await driver.read(threadsChangelog), model.requests]).toEqual([[], []])
  })
})

describe('a model that fails', () => {
  test('is asked again, then told of in words of ours; nothing is dead-lettered (DC4)', async () => {
    const codec = await openCodec()
    const clock = new HandClock(t0)
    const model = fakeModel(() => ({ class: 'retry', text: '' }))
    const driver = await start({ topologies: [chatProgram(codec, model, clock)], clock })
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Where?'))
    await driver.advance(10_000)
    expect((await replies(codec, driver)).map(spoken).toSorted()).toEqual(
      tenants.map((tenant) => `${tenant} v1 m1: ${sentence('unavailable', 'en')}`),
    )
    expect(model.requests.filter(({ schema }) => schema.name === 'answer')).toHaveLength(
      2 * defaultDemoChatSettings.tries,
    )
    expect(await driver.read('demo_events.dlq')).toEqual([])
  })

  test('one that never answers holds a conversation no longer than turnTimeoutMs, and no other one (DC2, DC4)', async () => {
    const codec = await openCodec()
    const clock = new HandClock(t0)
    const model: ChatModel = {
      complete: (request) =>
        request.tenantId === 'acme'
          ? new Promise(() => undefined)
          : Promise.resolve(request.schema.name === 'question' ? ok({ kind: 'demo', language: 'en' }) : ok({ text: textOf(request), findings: ['f1'] })), // prettier-ignore
    }
    const driver = await start({ topologies: [chatProgram(codec, model, clock, { turnTimeoutMs: 3000 })], clock })
    for (const tenant of tenants) await say(codec, driver, generated(tenant))
    for (const tenant of tenants) await say(codec, driver, asked(tenant, 'm1', 'Where?'))
    for (let n = 0; n < 20; n++) await spin(clock)
    expect((await replies(codec, driver)).map(spoken)).toEqual(['globex v1 m1: Where?'])
    for (let n = 0; n < 20; n++) await spin(clock, 200)
    expect((await replies(codec, driver)).map(spoken)).toContain(`acme v1 m1: ${sentence('unavailable', 'en')}`)
    expect(await driver.read('demo_events.dlq')).toEqual([])
  })
})

/** The log of a process that dies at its n-th append, offset commit or end, before it has its effect or after. */
function mortalAfter(inner: Log, effects: number, moment: 'before' | 'after') {
  const never = <T>(): Promise<T> => new Promise(() => undefined)
  let left = effects
  let dead = false
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) return never()
    const dies = left-- <= 0
    if (dies && moment === 'before') dead = true
    if (dead) return never()
    const answer = await work()
    if (dies) dead = true
    return dead ? never() : answer
  }
  const alive = <T>(work: () => Promise<T>): Promise<T> => (dead ? never() : work())
  const wrap = (session: ProducerSession): ProducerSession =>
    override(session, {
      append: (batches) => guard(() => session.append(batches)),
      sendOffsets: (group, offsets) => guard(() => session.sendOffsets(group, offsets)),
      end: (outcome) => guard(() => session.end(outcome)),
      close: () => alive(() => session.close()),
    })
  const log = override(inner, {
    metadata: (names) => alive(() => inner.metadata(names)),
    listOffsets: (partitions, which) => alive(() => inner.listOffsets(partitions, which)),
    fetch: (request) => alive(() => inner.fetch(request)),
    committedOffsets: (...args) => alive(() => inner.committedOffsets(...args)),
    openProducer: (options) =>
      alive(async () => {
        const session = await inner.openProducer(options)
        return options.transactionalId?.startsWith('demo-chat') === true ? wrap(session) : session
      }),
  })
  return { log, isDead: () => dead }
}

const script: readonly AnyEvent[] = [
  ...tenants.map((tenant) => generated(tenant)),
  ...(['m1', 'm2', 'm3'] as const).flatMap((id) => tenants.map((tenant) => asked(tenant, id, `Question ${id}?`))),
]

/** It takes its time, unlike for each tenant: so answers come in commits of their own. */
const slow = (model: ChatModel, clock: HandClock): ChatModel => ({
  complete: async (request) => {
    await new Promise<void>((resolve) => void clock.after(request.tenantId === 'acme' ? 30 : 50, resolve))
    return model.complete(request)
  },
})

interface Death {
  readonly effects: number
  readonly moment: 'before' | 'after'
}

/** Everything is sent; processes live and die one after the other, each with an empty disk; the last one stays. */
async function playThrough(deaths: readonly Death[]) {
  const codec = await openCodec()
  const clock = new HandClock(t0)
  const log = openMemoryLog({ clock, random })
  const topologies = [chatProgram(codec, slow(fakeModel(), clock), clock)]
  let died = 0
  const feeder = await start({ topologies: [], log, clock })
  await log.createTopics([{ name: 'demo_events', partitions: 1, config: { 'retention.ms': '-1' } }])
  for (const event of script) await say(codec, feeder, event)
  for (const { effects, moment } of deaths) {
    const mortal = mortalAfter(log, effects, moment)
    // Not closed after the test: a dead process does not close.
    const options = { topologies, clock, log: mortal.log, databases: memoryDatabases() }
    const driver = await turnedUntil(clock, Promise.race([TopologyDriver.start(options), deathOf(mortal, clock)]))
    for (let n = 0; n < 60 && !mortal.isDead(); n++) await spin(clock)
    if (!mortal.isDead()) return { died, codec, driver: adopt(driver ?? expect.unreachable()) }
    died++
  }
  const driver = await turnedUntil(clock, start({ topologies, clock, log, databases: memoryDatabases() }))
  await driver.settle()
  return { died, codec, driver }
}

/** Resolves when the process is dead: what it waits for never comes. */
function deathOf({ isDead }: { isDead(): boolean }, clock: HandClock): Promise<null> {
  return new Promise((resolve) => {
    const look = (): void => (isDead() ? resolve(null) : void clock.after(10, look))
    look()
  })
}

const expectedReplies = tenants
  .flatMap((tenant) => [1, 2, 3].map((n) => `${tenant} v1 m${n}: ${tenant} ${2 * n - 1}: Question m${n}?`))
  .toSorted()
const expectedTranscripts = Object.fromEntries(
  tenants.map((tenant) => [tenant, [1, 2, 3].map((n) => `Question m${n}? ${tenant} ${2 * n - 1}: Question m${n}?`)]),
)

async function expectWhole({ codec, driver }: { codec: Codec; driver: TopologyDriver }, how: string) {
  expect((await replies(codec, driver)).map(spoken).toSorted(), how).toEqual(expectedReplies)
  expect(await transcripts(codec, driver), how).toEqual(expectedTranscripts)
}

describe('a process that dies (DC1)', () => {
  test.each(['before', 'after'] as const)(
    '%s each of its writes: the next one restores from the changelogs alone, and every message has one answer',
    async (moment) => {
      let effects = 0
      for (; effects < 200; effects++) {
        const played = await playThrough([{ effects, moment }])
        await expectWhole(played, `died ${moment} its write ${effects}`)
        await played.driver.close()
        if (played.died === 0) break
      }
      // More than the commits of messages handed on, taken and answered: of three calls each.
      expect(effects).toBeGreaterThan(9)
    },
    120_000,
  )

  test('again and again, anywhere', async () => {
    const deaths = fc.array(
      fc.record({ effects: fc.nat(12), moment: fc.constantFrom('before' as const, 'after' as const) }),
      { minLength: 2, maxLength: 5 },
    )
    await fc.assert(
      fc.asyncProperty(deaths, async (planned) => {
        const played = await playThrough(planned)
        await expectWhole(played, JSON.stringify(planned))
        await played.driver.close()
      }),
      { numRuns: 15 },
    )
  }, 120_000)

  test('in order: a clean end and a new start lose nothing either', async () => {
    const codec = await openCodec()
    const clock = new HandClock(t0)
    const options = { topologies: [chatProgram(codec, fakeModel(), clock)], clock }
    let driver = await start(options)
    for (const event of script) {
      await say(codec, driver, event)
      await spin(clock)
      driver = await restart(driver, options)
    }
    await driver.settle()
    await expectWhole({ codec, driver }, 'restarted after each event')
  })
})
