/**
 * The outbox as a program of its own: companies sign up, and in each process one relay waits for the lock or leads. Nothing
 * else runs, so a seed is cheap, and what goes wrong goes wrong for the relay.
 */

import type { OutboxRelay } from '../../../api/relay/index.ts'
import { authEvents, communicationEvents } from '../../../schemas/index.ts'
import type { Machine, Program, ProgramFactory, Running } from '../program.ts'
import { carriedOnce } from './checks/outbox.ts'
import type { Codecs } from './codecs.ts'
import { openCodecs } from './codecs.ts'
import { OutboxServer, silentForMs } from './edges.ts'
import { FirstLight } from './first-light.ts'
import { lockRetryMs, noticeOf, relayOf } from './node.ts'
import { Seen } from './seen.ts'

const mostPartitions = 3
/** How often a process looks who wants to sign up, in ms. */
const deskEveryMs = 200

export const signUps: ProgramFactory = ({ chance, ...setting }): Program => {
  const partitions = Math.min(mostPartitions, setting.partitions)
  const world = new FirstLight({
    seed: String(chance.below(2 ** 31)),
    tenants: 2 + chance.below(4),
    companies: 30 + chance.below(30),
    withinMs: 25_000,
    projections: 0,
  })
  const outbox = new OutboxServer(world)
  const topics = [authEvents, communicationEvents].map(({ name }) => ({ name, partitions }))
  return {
    name: 'sign-ups',
    topics: topics.map((topic) => ({ ...topic, config: { 'retention.ms': '-1' } })),
    groups: [],
    start: async (machine) => startRelay(machine, world, outbox, await openCodecs()),
    wanted: 0,
    processesLeast: 2,
    processesMost: 3,
    records: () => world.people.put.length,
    crashPoints: [['C31', 'C32', 'C33']],
    ownCrashShare: 1,
    // Another one leads by then, and sends what this one was about to.
    givenUpMs: silentForMs + 2 * lockRetryMs,
    clockJumpMostMs: 4_000,
    generate: () => undefined,
    unfinished: () => world.people.unregistered ?? unsent(world),
    check: (evidence) => carriedOnce(new Seen(evidence), world),
  }
}

function startRelay(machine: Machine, world: FirstLight, outbox: OutboxServer, codecs: Codecs): Running {
  world.begins(() => machine.watch())
  const relay: OutboxRelay = relayOf(machine, { outbox, world }, codecs)
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
  relay.start()
  sit()
  return {
    close: () => {
      stopped = true
      return relay.stop()
    },
  }
}

function unsent({ outbox }: FirstLight): string | null {
  const rows = outbox.rows.filter(({ sentAt }) => sentAt === null).length
  return rows === 0 ? null : `${rows} rows of the outbox were not sent yet`
}
