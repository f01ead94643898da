/** Swarm: a seed draws everything. Each fault is on or off, its rate anywhere in its range; the whole set is one JSON line. */

import type { RuntimeSettings } from '../../topology/index.ts'
import type { NetworkFaults, NetworkTimes } from './network.ts'
import { noNetworkFaults } from './network.ts'
import type { DiskTimes } from './disk.ts'
import { Chance } from './random.ts'

export interface Options {
  readonly seed: number
  readonly program: string
  readonly processes: number
  readonly partitions: number
  readonly records: number
  /** The safety phase, in ms of virtual time, and the periods it falls into: each with or without faults. */
  readonly safetyMs: number
  readonly periodMs: number
  readonly settings: Partial<RuntimeSettings>
  readonly network: NetworkTimes
  readonly networkFaults: NetworkFaults
  readonly disk: DiskTimes
  readonly fsync: 'always' | 'interval'
  readonly segmentBytes: number
  readonly cleanIntervalMs: number
  readonly stateWriteUs: number
  /** Mean time between two of a kind in ms; 0 is off. */
  readonly every: Readonly<Record<Upset, number>>
  readonly crash: {
    /** Down time after a crash, in ms. */
    readonly downMs: number
    /** Share of the crashes that wait for a crash point. */
    readonly atPoint: number
    readonly powerLoss: number
    /** Share of the restarts that find damaged, and an empty, state directory. */
    readonly corrupt: number
    readonly lost: number
  }
  readonly clock: { readonly skewMs: number; readonly jumpMs: number }
  readonly pauseMs: number
  readonly clogMs: number
  readonly fullMs: number
  readonly outside: { readonly meanUs: number; readonly lost: number; readonly lostAnswer: number }
}

/** Faults that come as events of their own. */
export type Upset =
  | 'crash'
  | 'stop'
  | 'feederCrash'
  | 'brokerCrash'
  | 'coordinatorMove'
  | 'pause'
  | 'zombie'
  | 'clog'
  | 'swizzle'
  | 'clockJump'
  | 'stateFull'
  | 'logFull'

const upsets: readonly Upset[] = [
  'crash',
  'stop',
  'feederCrash',
  'brokerCrash',
  'coordinatorMove',
  'pause',
  'zombie',
  'clog',
  'swizzle',
  'clockJump',
  'stateFull',
  'logFull',
]

export function drawOptions(seed: number, programs: readonly string[]): Options {
  const chance = Chance.of(seed).fork('options')
  const slow = chance.chance(0.15)
  const short = chance.chance(0.5)
  const power = chance.chance(0.4)
  return {
    seed,
    program: chance.of(programs),
    processes: chance.between(1, 4),
    partitions: chance.between(3, 8),
    records: chance.between(200, 420),
    safetyMs: chance.between(15_000, 30_000),
    periodMs: chance.between(1500, 5000),
    settings: drawSettings(chance.fork('settings')),
    network: {
      latencyUs: Math.round(slow ? chance.logBetween(2000, 20_000) : chance.logBetween(50, 1000)),
      jitterUs: Math.round(slow ? chance.logBetween(2000, 20_000) : chance.logBetween(50, 2000)),
      requestTimeoutMs: Math.round(chance.logBetween(400, 3000)),
    },
    networkFaults: drawNetworkFaults(chance.fork('network')),
    disk: {
      operationUs: Math.round(chance.logBetween(5, 200)),
      fsyncUs: Math.round(chance.logBetween(50, 3000)),
      slowFsyncUs: Math.round(chance.logBetween(10_000, 800_000)),
      slowChance: chance.chance(0.3) ? chance.logBetween(0.001, 0.05) : 0,
    },
    fsync: power || chance.chance(0.7) ? 'always' : 'interval',
    segmentBytes: Math.round(chance.logBetween(1024, 64 * 1024)),
    cleanIntervalMs: Math.round(chance.logBetween(200, 8000)),
    stateWriteUs: Math.round(chance.logBetween(50, 5000)),
    every: drawUpsets(chance.fork('upsets'), short, power),
    crash: {
      downMs: Math.round(short ? chance.logBetween(5, 400) : chance.logBetween(500, 8000)),
      atPoint: chance.of([0.5, 0.8, 0.95]),
      powerLoss: power ? chance.of([0.2, 0.8]) : 0,
      corrupt: chance.chance(0.3) ? 0.2 : 0,
      lost: chance.chance(0.3) ? 0.2 : 0,
    },
    clock: {
      skewMs: chance.chance(0.5) ? Math.round(chance.logBetween(5, 2000)) : 0,
      jumpMs: Math.round(chance.logBetween(50, 3_600_000)),
    },
    pauseMs: Math.round(chance.logBetween(50, 8000)),
    clogMs: Math.round(chance.logBetween(100, 6000)),
    fullMs: Math.round(chance.logBetween(50, 3000)),
    outside: {
      meanUs: Math.round(chance.logBetween(500, 200_000)),
      lost: chance.chance(0.4) ? 0.05 : 0,
      lostAnswer: chance.chance(0.4) ? 0.05 : 0,
    },
  }
}

function drawSettings(chance: Chance): Partial<RuntimeSettings> {
  const sessionTimeoutMs = Math.round(chance.logBetween(1500, 6000))
  const drawn = {
    ...drawFreely(chance, sessionTimeoutMs),
    repartitionPurgeIntervalMs: chance.fork('purge').of([50, 500, 3000, null]),
    staticMembership: chance.fork('static').chance(0.3),
    leaveOnClose: chance.fork('leave').chance(0.5),
  }
  // A member hears of a rebalance by its heartbeats: one that has less time for it than for two of them is thrown out for ever.
  const leastMs = 2 * (drawn.heartbeatIntervalMs ?? 0)
  return { ...drawn, rebalanceTimeoutMs: Math.max(drawn.rebalanceTimeoutMs ?? 0, leastMs) }
}

function drawFreely(chance: Chance, sessionTimeoutMs: number): Partial<RuntimeSettings> {
  return {
    commitIntervalMs: chance.of([30, 100, 100, 400]),
    commitMinIntervalMs: chance.of([1, 10, 10, 50]),
    transactionTimeoutMs: Math.round(chance.logBetween(2000, 8000)),
    transactionMaxBytes: chance.of([4 * 1024, 64 * 1024, 1024 * 1024]),
    bufferBytesPerPartition: chance.of([2 * 1024, 64 * 1024, 1024 * 1024]),
    fetchMaxBytes: chance.of([1024, 16 * 1024, 256 * 1024]),
    fetchMaxWaitMs: chance.of([50, 200, 500]),
    timerRestartGraceMs: chance.of([500, 3000, 6000]),
    sliceMs: chance.of([1, 4]),
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.round(sessionTimeoutMs / chance.between(3, 8)),
    rebalanceTimeoutMs: Math.round(chance.logBetween(1000, 6000)),
    maxPollIntervalMs: chance.of([3000, 10_000, 300_000]),
    standbyReplicas: chance.of([0, 0, 1, 2]),
    acceptableRecoveryLag: chance.of([5, 50, 10_000]),
    closeTimeoutMs: chance.of([100, 1000]),
    retryMinMs: chance.of([10, 50]),
    retryMaxMs: chance.of([500, 2000]),
  }
}

function drawNetworkFaults(chance: Chance): NetworkFaults {
  const rate = (most: number): number => (chance.chance(0.5) ? chance.logBetween(most / 50, most) : 0)
  if (chance.chance(0.1)) return noNetworkFaults
  return {
    dropRequest: rate(0.02),
    dropAnswer: rate(0.02),
    duplicate: rate(0.05),
    late: rate(0.02),
    reorder: rate(0.1),
    cutFetch: rate(0.5),
  }
}

function drawUpsets(chance: Chance, short: boolean, power: boolean): Record<Upset, number> {
  const means: Record<Upset, readonly [number, number]> = {
    crash: short ? [600, 3000] : [4000, 15_000],
    stop: [2000, 15_000],
    feederCrash: [2000, 10_000],
    brokerCrash: [2000, 10_000],
    coordinatorMove: [1500, 10_000],
    pause: [2000, 10_000],
    zombie: [5000, 20_000],
    clog: [1500, 10_000],
    swizzle: [4000, 15_000],
    clockJump: [2000, 10_000],
    stateFull: [4000, 15_000],
    logFull: [5000, 20_000],
  }
  const drawn = {} as Record<Upset, number>
  for (const upset of upsets) {
    const [low, high] = means[upset]
    const mean = Math.round(chance.logBetween(low, high))
    // Where power fails, it is the broker's that says most.
    const often = upset === 'crash' || (upset === 'brokerCrash' && power)
    drawn[upset] = chance.chance(often ? 0.85 : upset === 'brokerCrash' ? 0.6 : 0.4) ? mean : 0
  }
  return drawn
}

/** Changes single options, to narrow a failure down: `{ 'network.latencyUs': 100 }`. @throws RangeError unknown option */
export function changed(options: Options, changes: Readonly<Record<string, number>>): Options {
  const copy = structuredClone(options) as unknown as Record<string, unknown>
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split('.')
    const last = names.pop() ?? ''
    let part = copy
    for (const name of names) part = part[name] as Record<string, unknown>
    if (!(last in part)) throw new RangeError(`there is no option ${path}`)
    part[last] = value
  }
  return copy as unknown as Options
}
