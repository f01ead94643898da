/**
 * Every scenario again, through the production runtime: three partitions, a log, transactions, stores with changelogs,
 * a restart in the middle. The engine must write exactly the events that the pure steps make, ids and bytes of them.
 */

import { describe, expect, test } from 'vitest'
import type { Player, Told } from '../../processors/scenario.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'
import type { Service } from '../../processors/index.ts'
import { compileService, services } from '../../processors/index.ts'
import type { AnyEvent } from '../../schemas/index.ts'
import { recordKey } from '../../schemas/index.ts'
import { TopologyDriver } from '../../topology/testing/index.ts'
import { codec, keyRing } from './codecs.ts'
import { scenariosOf } from './scenarios.ts'

const REJOIN_MS = 10_000

/** Scenarios tell when a timer is due; the grace after a restart has tests of its own. */
const settings = { timerRestartGraceMs: 0 }

/** Plays on the engine and on the pure steps side by side; says what the pure ones emitted after comparing. */
class EnginePlayer implements Player {
  readonly #service: Service
  readonly #pure: ReturnType<typeof servicePlayer>
  #driver: TopologyDriver
  #seen = new Set<string>()

  private constructor(service: Service, driver: TopologyDriver) {
    this.#service = service
    this.#pure = servicePlayer(service)
    this.#driver = driver
  }

  static async start(service: Service): Promise<EnginePlayer> {
    const topology = compileService(service, { event: codec, keyRing })
    return new EnginePlayer(
      service,
      await TopologyDriver.start({ topologies: [topology], partitions: 3, now: 1, settings }),
    )
  }

  /** A stop and a start: state comes back from stores and changelogs. */
  async restart(): Promise<void> {
    const { log, databases, clock } = this.#driver
    await this.#driver.close()
    const topology = compileService(this.#service, { event: codec, keyRing })
    this.#driver = await TopologyDriver.start({ topologies: [topology], log, databases, clock, settings })
  }

  async send(told: Told): Promise<readonly Told[]> {
    // A type without a schema cannot be written; passing unknown types through is the codec's test.
    if (told.topic.events[told.event.event_type] === undefined) return this.#pure.send(told)
    const key = Buffer.from(recordKey(told.topic, { ...told.event, payload: told.event }))
    await keyRing.load([told.event.tenant_id])
    const value = codec(told.topic).serialize(told.event, key)
    await this.#driver.send(told.topic.name, { key, value, timestamp: told.event.timestamp })
    await this.#driver.settle()
    return this.#same(this.#pure.send(told), told.event.event_id)
  }

  async advanceTo(time: number): Promise<readonly Told[]> {
    const { clock } = this.#driver
    // A jump of months ends the session, as a sleep does: the member is back before the time that counts.
    if (time - clock.now() > 2 * REJOIN_MS) {
      await clock.jumpTo(time - REJOIN_MS)
      await this.#driver.settle()
    }
    await clock.turnTo(time)
    await this.#driver.settle()
    return this.#same(this.#pure.advanceTo(time), null)
  }

  close(): Promise<void> {
    return this.#driver.close()
  }

  async #same(expected: readonly Told[], sent: string | null): Promise<readonly Told[]> {
    if (sent !== null) this.#seen.add(sent)
    const written = await this.#written()
    const fresh = written.filter(({ event_id }) => !this.#seen.has(event_id))
    const byId = (a: AnyEvent, b: AnyEvent): number => (a.event_id < b.event_id ? -1 : 1)
    const plain = (events: readonly AnyEvent[]): unknown =>
      JSON.parse(JSON.stringify([...events].sort(byId).map(withoutNulls)))
    expect(plain(fresh)).toEqual(plain(expected.map(({ event }) => event)))
    for (const { event_id } of fresh) this.#seen.add(event_id)
    return expected
  }

  async #written(): Promise<AnyEvent[]> {
    const named = new Set(
      this.#service.processors.flatMap(({ reads, writes }) => [reads.name, ...writes.map((topic) => topic.name)]),
    )
    const events: AnyEvent[] = []
    for (const name of named) {
      const records = await this.#driver.read(name)
      await codec({ name }).prepare(records)
      for (const { key, value } of records) if (value !== null) events.push(codec({ name }).deserialize(value, key))
      expect(await this.#driver.read(`${name}.dlq`)).toEqual([])
    }
    return events
  }
}

/** On the wire an optional field that is left out and one that is null are the same. */
function withoutNulls(event: AnyEvent): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== null && value !== undefined))
}

for (const service of services()) {
  const scenarios = await scenariosOf(service)
  describe(service.name, () => {
    test.each(scenarios.map((scenario) => [scenario.it, scenario] as const))('%s', async (_, scenario) => {
      const player = await EnginePlayer.start(service)
      await playScenario(scenario, player)
      await player.close()
    })

    test('a restart after every input changes nothing', async () => {
      const [scenario] = [...scenarios].sort((a, b) => b.play.length - a.play.length)
      if (scenario === undefined) throw new Error(`${service.name} has no scenario`)
      const player = await EnginePlayer.start(service)
      await playScenario(scenario, {
        send: async (told) => {
          const emitted = await player.send(told)
          await player.restart()
          return emitted
        },
        advanceTo: (time) => player.advanceTo(time),
      })
      await player.close()
    })
  })
}
