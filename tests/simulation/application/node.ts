/**
 * One life of one process of the platform: production code throughout, put together as deploy/platform.ts does it: the
 * services and the effect worker on one worker, the sinks, the relay, and a desk in place of HTTP.
 */

import { OutboxRelay } from '../../../api/relay/index.ts'
import { effectsApplication, effectsTopology } from '../../../connectors/effects/index.ts'
import type { GroupOptions, Log } from '../../../connectors/kafka/index.ts'
import { compileService, services } from '../../../processors/index.ts'
import { SinkRunner } from '../../../sinks/index.ts'
import { StateBudget } from '../../../state-stores/index.ts'
import type { RuntimeSettings, Topology } from '../../../topology/index.ts'
import { Worker, defaultRuntimeSettings } from '../../../topology/index.ts'
import type { Machine, Running } from '../program.ts'
import type { Codecs } from './codecs.ts'
import { callTopics, openCodecs } from './codecs.ts'
import { Desk } from './desk.ts'
import { Door } from './door.ts'
import type { OutboxServer } from './edges.ts'
import { tablesOf } from './edges.ts'
import type { FirstLight } from './first-light.ts'

/** How often a relay that does not lead asks for the lock, in ms. */
export const lockRetryMs = 1_000

export interface Node extends Running {
  readonly worker: Worker
  readonly sinks: SinkRunner
  readonly relay: OutboxRelay
}

export interface NodeOptions {
  readonly world: FirstLight
  readonly outbox: OutboxServer
  readonly settings?: Partial<RuntimeSettings>
}

export async function startNode(machine: Machine, options: NodeOptions): Promise<Node> {
  const { world } = options
  world.begins(() => machine.watch())
  const codecs = await openCodecs()
  const worker = workerOf(machine, options, codecs)
  const sinks = sinksOf(machine, world, codecs)
  const relay = relayOf(machine, options, codecs)
  const reach: Machine['outside'] = (service, work) => machine.outside(service, work)
  const desk = new Desk({
    world,
    door: new Door(world, machine, codecs, options.settings ?? {}),
    log: machine.log,
    clock: machine.clock,
    codecs,
    reach,
    everyMs: 250,
    nudge: () => relay.nudge(),
  })
  await worker.start()
  sinks.start()
  relay.start()
  desk.start()
  return {
    worker,
    sinks,
    relay,
    tend: () => {
      world.lookSometimes()
      return rebuildOnce(world, sinks)
    },
    close: async () => {
      await desk.stop()
      await relay.stop()
      await sinks.stop()
      await worker.close()
    },
  }
}

/** An operator builds one projection anew, once in a seed, while everything goes on. */
export async function rebuildOnce(world: FirstLight, sinks: SinkRunner): Promise<void> {
  const projection = world.rebuildNow()
  if (projection !== null) await sinks.rebuild(projection.name).catch(() => undefined)
}

function workerOf(machine: Machine, { world, settings }: NodeOptions, codecs: Codecs): Worker {
  const { clock, databases, name } = machine
  const notice = noticeOf(machine, world)
  return new Worker({
    topologies: topologiesOf(machine, world, codecs),
    log: watched(machine, world),
    databases,
    budget: new StateBudget({ bytes: 64 << 20, flushBytes: 64 << 10, flushMs: 2_000, now: () => clock.now() }),
    clock,
    watch: () => machine.watch(),
    settings: { ...defaultRuntimeSettings, ...settings },
    processId: name,
    workerIndex: 0,
    notice,
    failed: (error) => machine.failed(error),
    crash: machine.crash,
  })
}

function topologiesOf(machine: Machine, world: FirstLight, { keyRing, codec }: Codecs): Topology[] {
  const hosted = services(world.settings)
  const effects = effectsTopology({
    providers: world.providers.of(machine.life, (service, work) => machine.outside(service, work)),
    topics: callTopics(world.settings),
    codec,
    clock: machine.clock,
  })
  return [...hosted.map((service) => compileService(service, { event: codec, keyRing })), effects]
}

/** The same log; notes when a task of the effect worker is taken away, because a call may be repeated then. */
function watched(machine: Machine, world: FirstLight): Log {
  const { log, life } = machine
  const joinGroup = (options: GroupOptions): ReturnType<Log['joinGroup']> => {
    if (options.groupId !== effectsApplication) return log.joinGroup(options)
    const { listener } = options
    const taken = (): void => void world.incidents.push({ at: world.now(), life })
    return log.joinGroup({
      ...options,
      listener: {
        ...listener,
        revoked: (partitions) => (taken(), listener.revoked(partitions)),
        lost: () => (taken(), listener.lost()),
      },
    })
  }
  return new Proxy(log, {
    get(target, name) {
      if (name === 'joinGroup') return joinGroup
      const own = Reflect.get(target, name) as unknown
      return typeof own === 'function' ? (own.bind(target) as unknown) : own
    },
  })
}

export function sinksOf(machine: Machine, world: FirstLight, { codec }: Codecs): SinkRunner {
  const { log, clock, crash } = machine
  return new SinkRunner({
    log,
    projections: world.projections,
    tables: tablesOf(world.tables, (service, work) => machine.outside(service, work), crash),
    decode: codec,
    clock,
    notice: noticeOf(machine, world),
  })
}

export function relayOf(machine: Machine, { outbox, world }: NodeOptions, { codec, keyRing }: Codecs): OutboxRelay {
  const { log, clock, crash } = machine
  return new OutboxRelay({
    rows: outbox.of((service, work) => machine.outside(service, work), clock),
    log,
    encode: (topic, event) => codec({ name: topic }).serialize(event, Buffer.from(event.tenant_id, 'utf8')),
    prepare: (tenantIds) => keyRing.load(tenantIds),
    clock,
    notice: noticeOf(machine, world),
    crash,
    settings: { maxRows: 8, pollMs: 1_000, lockRetryMs },
  })
}

export function noticeOf(machine: Machine, world: FirstLight): (line: string) => void {
  return (line) => {
    world.notices.push({ at: world.now(), life: machine.life, line })
    machine.notice(line)
  }
}
