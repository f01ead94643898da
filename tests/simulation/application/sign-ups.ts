/**
 * The outbox as a program of its own, and the sinks behind it as another: companies sign up, and in each process one relay waits for
 * the lock or leads. No service runs, so a seed is cheap, and what goes wrong goes wrong for the relay, or for the sinks.
 */

import type { OutboxRelay } from '../../../api/relay/index.ts'
import { authEvents, communicationEvents } from '../../../schemas/index.ts'
import type { SinkRunner } from '../../../sinks/index.ts'
import type { Machine, Program, ProgramFactory, Running, Setting } from '../program.ts'
import { behind } from './checks/index.ts'
import { carriedOnce } from './checks/outbox.ts'
import { projected } from './checks/projected.ts'
import type { Codecs } from './codecs.ts'
import { openCodecs } from './codecs.ts'
import { OutboxServer, silentForMs } from './edges.ts'
import { FirstLight } from './first-light.ts'
import { lockRetryMs, noticeOf, rebuildOnce, relayOf, sinksOf } from './node.ts'
import { Seen } from './seen.ts'

const mostPartitions = 3
/** How often a process looks who wants to sign up, in ms. */
const deskEveryMs = 200

export const signUps: ProgramFactory = (setting) =>
  programOf(setting, {
    name: 'sign-ups',
    projections: 0,
    crashPoints: ['C31', 'C32', 'C33'],
    // Another one leads by then, and sends what this one was about to.
    givenUpMs: silentForMs + 2 * lockRetryMs,
  })

export const rows: ProgramFactory = (setting) =>
  programOf(setting, { name: 'rows', projections: 2, crashPoints: ['C20', 'C21', 'C22', 'C23'] })

interface Made extends Pick<Program, 'name' | 'givenUpMs'> {
  readonly projections: number
  readonly crashPoints: readonly string[]
}

function programOf({ chance, ...setting }: Setting, { projections, crashPoints, ...made }: Made): Program {
  const partitions = Math.min(mostPartitions, setting.partitions)
  const world = new FirstLight({
    seed: String(chance.below(2 ** 31)),
    tenants: 2 + chance.below(4),
    companies: 30 + chance.below(30),
    withinMs: 25_000,
    projections,
    reads: authEvents.name,
    looks: { most: 100, everyMs: 250 },
  })
  const outbox = new OutboxServer(world)
  const topics = [authEvents, communicationEvents].map(({ name }) => ({ name, partitions }))
  return {
    ...made,
    topics: topics.map((topic) => ({ ...topic, config: { 'retention.ms': '-1' } })),
    groups: [],
    start: async (machine) => startParts(machine, world, outbox, await openCodecs()),
    wanted: 0,
    processesLeast: 2,
    processesMost: 3,
    records: () => world.people.put.length,
    crashPoints: [crashPoints],
    ownCrashShare: 1,
    clockJumpMostMs: 4_000,
    generate: () => undefined,
    unfinished: (evidence) => world.people.unregistered ?? behind(evidence, world),
    check: (evidence) => {
      const seen = new Seen(evidence)
      const looks = [...world.snapshots, world.tablesNow()]
      return [...carriedOnce(seen, world), ...projected(seen, world.projections, looks)]
    },
  }
}

function startParts(machine: Machine, world: FirstLight, outbox: OutboxServer, codecs: Codecs): Running {
  world.begins(() => machine.watch())
  const relay = relayOf(machine, { outbox, world }, codecs)
  const sinks = world.projections.length === 0 ? null : sinksOf(machine, world, codecs)
  const stopDesk = startDesk(machine, world, relay)
  relay.start()
  sinks?.start()
  return {
    ...(sinks === null ? {} : { tend: () => tended(world, sinks) }),
    close: async () => {
      stopDesk()
      await relay.stop()
      await sinks?.stop()
    },
  }
}

function tended(world: FirstLight, sinks: SinkRunner): Promise<void> {
  world.lookSometimes()
  return rebuildOnce(world, sinks)
}

/** Identity's part: whoever wants to sign up is written to the outbox. */
function startDesk(machine: Machine, world: FirstLight, relay: OutboxRelay): () => void {
  const say = noticeOf(machine, world)
  let stopped = false
  const sit = (): void => {
    if (stopped) return
    machine.clock.after(deskEveryMs, () => {
      void machine
        .outside('identity', () => world.people.write(machine.clock.now()))
        .then(
          (wrote) => void (wrote && relay.nudge()),
          (error: unknown) => say(String(error)),
        )
        .then(sit)
    })
  }
  sit()
  return () => void (stopped = true)
}
