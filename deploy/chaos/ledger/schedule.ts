/** What happens to the process, life by life. It follows from the seed and from what is asked for. */

import type { Asked } from '../arguments.ts'
import type { Deed, Side } from '../proxy/faults.ts'
import type { Draw, KillMoment } from '../seeded.ts'
import { killMoments, seeded } from '../seeded.ts'

/** It dies by the clock. */
export interface PlannedKill extends KillMoment {
  readonly kind: 'kill'
  /** It dies by itself, at such a place and pass; by the clock when it does not come there. */
  readonly at: { readonly place: string; readonly pass: number } | null
  /** In this life a broker dies too, and is away for so long, in ms; null when none does. */
  readonly brokerAwayMs: number | null
  /** A second process lives on, and takes over. */
  readonly isSurvived: boolean
}

/** It must die at a place: what does not come there is tried again. */
export interface PlannedPlace {
  readonly kind: 'place'
  readonly place: string
  readonly pass: number
  readonly tried: number
}

/** It dies while a request of its is with the broker: not done yet, or done and not answered. */
export interface PlannedWire {
  readonly kind: 'wire'
  readonly api: string
  readonly side: Side
  readonly skip: number
}

export interface Cut {
  readonly api: string
  readonly transactional: boolean
  readonly deed: Exclude<Deed, 'hold'>
  readonly side: Side
  readonly skip: number
}

/** It lives through some cuts, one after the other. */
export interface PlannedCuts {
  readonly kind: 'cuts'
  readonly cuts: readonly Cut[]
}

/** When a request that was held is let go. */
export type LateUntil =
  'given up' | 'successor' | 'next transaction' | 'timed out' | 'its process is dead' | 'dead and timed out'

export interface PlannedLate {
  readonly kind: 'late'
  readonly api: string
  readonly until: LateUntil
  readonly skip: number
}

/** A request that comes to its broker when the others have taken over, or when its transaction is over too. */
export interface ZombieHold {
  readonly api: 'EndTxn' | 'TxnOffsetCommit'
  readonly until: 'takeover' | 'timed out'
}

export interface PlannedZombie {
  readonly kind: 'zombie'
  /** What of it is held, and till when; null when it stands still at any moment. */
  readonly holds: ZombieHold | null
  readonly waitMs: number
}

export interface PlannedRebalance {
  readonly kind: 'rebalance'
  readonly application: string
  /** What of a commit is held while the other comes, and while it goes. */
  readonly coming: { readonly api: string; readonly side: Side; readonly holdMs: number }
  readonly going: { readonly api: string; readonly side: Side; readonly holdMs: number }
}

/** Three processes of the build before become this build's, in this order. */
export interface PlannedUpgrade {
  readonly kind: 'upgrade'
  readonly order: readonly { readonly process: string; readonly isKilled: boolean }[]
}

export type Planned =
  | PlannedKill
  | PlannedPlace
  | PlannedWire
  | PlannedCuts
  | PlannedLate
  | PlannedZombie
  | PlannedRebalance
  | PlannedUpgrade

/** Places of the engine that one process comes to, and those that need a second or a bad record. */
const placesOfEngine = [
  ...['C01', 'C02', 'C03', 'C04', 'C05', 'C06', 'C07', 'C08', 'C09', 'C10', 'C11', 'C12', 'C13', 'C14', 'C15', 'C18'],
  'C19',
]
const placesOfTwo = ['C16', 'C17']
const placesOfLog = ['C26', 'C27', 'C28', 'C30']

const cutsPerLife = 4
/** The longest that a broker stays away before it is started again, in ms: past its own session and those of members. */
const longestAwayMs = 5_000
/** Past the time that a group gives its members to come. */
const pastRebalanceMs = 6_500

export function schedule(seed: number, asked: Asked, log: 'embedded' | 'kafka', lifeMs: number): readonly Planned[] {
  const draw = seeded(seed ^ 0x5bd1e995)
  const planned: Planned[] = [
    ...kills(seed, draw, asked, log, lifeMs),
    ...places(draw, asked, log),
    ...cuts(draw, asked),
    ...repeat(asked.late, (n) => late(draw, n)),
    ...repeat(asked.zombies, (n): Planned => {
      return { kind: 'zombie', holds: zombieHolds[n % 4] ?? null, waitMs: Math.floor(draw() * 800) }
    }),
    ...repeat(Math.ceil(asked.rebalances / 2), (n) => rebalance(draw, n)),
    ...repeat(asked.upgrades, () => upgrade(draw)),
  ]
  // Only what is new is mixed: mere kills stay the moments of an earlier run.
  return planned.every(({ kind }) => kind === 'kill') ? planned : shuffled(planned, draw)
}

/** In turn. The end that comes in time commits what its sender lost meanwhile: nobody may have read the offsets before. */
const zombieHolds: readonly (ZombieHold | null)[] = [
  null,
  { api: 'EndTxn', until: 'takeover' },
  { api: 'EndTxn', until: 'timed out' },
  { api: 'TxnOffsetCommit', until: 'timed out' },
]

const repeat = <T>(times: number, make: (n: number) => T): T[] => Array.from({ length: times }, (_, n) => make(n))

function shuffled<T>(items: readonly T[], draw: Draw): readonly T[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1))
    ;[mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!]
  }
  return mixed
}

/** A start takes less time than the product's: what is killed in it must fall into it. */
function kills(seed: number, draw: Draw, asked: Asked, log: 'embedded' | 'kafka', lifeMs: number): Planned[] {
  const names = log === 'embedded' ? [...placesOfEngine, ...placesOfLog] : placesOfEngine
  return killMoments(seed, asked.kills, lifeMs, 900).map((moment, index): Planned => {
    const share = (n: number): number => Math.floor((n * asked.brokerKills) / asked.kills)
    // Spread evenly.
    const isOfBroker = share(index + 1) > share(index)
    const brokerAwayMs = isOfBroker ? Math.floor(draw() * longestAwayMs) : null
    const isSurvived = asked.zombies + asked.rebalances > 0 && index % 3 === 2
    if (isOfBroker) return { kind: 'kill', ...moment, after: 'ready', at: null, brokerAwayMs, isSurvived: false }
    const [isAtPlace, place, pass] = [draw() < 1 / 3, names[Math.floor(draw() * names.length)], 1 + Math.floor(draw() * 3)] // prettier-ignore
    const at = isAtPlace && place !== undefined && asked.places === 0 ? { place, pass } : null
    const after = at === null ? {} : { after: 'ready' as const }
    return { kind: 'kill', ...moment, ...after, at, brokerAwayMs, isSurvived }
  })
}

/**
 * What a place with "no answer yet" is on a Kafka. The process that dies at such a place by itself dies before the bytes are on
 * their way; so it is killed once more when they are.
 */
const placesAtWire = [
  { place: 'C05', api: 'Produce' },
  { place: 'C07', api: 'TxnOffsetCommit' },
  { place: 'C09', api: 'EndTxn' },
] as const
/** The protocol before KIP-890 has two more. */
const placesAtWireBefore = [
  ...placesAtWire,
  { place: 'C04', api: 'AddPartitionsToTxn' },
  { place: 'C06', api: 'AddOffsetsToTxn' },
] as const

function places(draw: Draw, asked: Asked, log: 'embedded' | 'kafka'): Planned[] {
  const { places: times, placeNames, transactionVersion } = asked
  const isWanted = (name: string): boolean => placeNames === null || placeNames.includes(name)
  const names = [...placesOfEngine, ...(log === 'kafka' ? placesOfTwo : placesOfLog)].filter(isWanted)
  const atWire = transactionVersion === 0 ? placesAtWireBefore : placesAtWire
  const wires = log === 'kafka' ? atWire.filter(({ place }) => isWanted(place)) : []
  return repeat(times, (n) => [
    ...names.map((place): Planned => ({ kind: 'place', place, pass: 1 + Math.floor(draw() * 3), tried: 0 })),
    ...wires.map(({ api }, index): Planned => {
      const side = (n + index) % 2 === 0 ? 'answer' : 'request'
      return { kind: 'wire', api, side, skip: Math.floor(draw() * 10) }
    }),
  ]).flat()
}

const writes = ['EndTxn', 'Produce', 'TxnOffsetCommit'] as const
/** What the protocol before KIP-890 has besides: after every transaction the producer asks for its next epoch too. */
const writesBefore = [...writes, 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'InitProducerId'] as const

/** All requests in turn; of three cuts one comes before the broker has heard, and of four one is silence. */
function cuts(draw: Draw, { cuts: times, transactionVersion }: Asked): Planned[] {
  const named = transactionVersion === 0 ? writesBefore : writes
  const targets = [...named.map((api) => ({ api, transactional: true })), { api: 'Produce', transactional: false }]
  const all = repeat(times, (n): Cut => {
    const round = Math.floor(n / targets.length)
    const side = round % 3 === 1 ? 'request' : 'answer'
    const deed = round % 4 === 3 ? 'silence' : 'cut'
    return { ...targets[n % targets.length]!, side, deed, skip: Math.floor(draw() * 12) }
  })
  const mixed = shuffled(all, draw)
  return repeat(Math.ceil(times / cutsPerLife), (n): Planned => {
    return { kind: 'cuts', cuts: mixed.slice(n * cutsPerLife, (n + 1) * cutsPerLife) }
  })
}

const untils: readonly LateUntil[] = [
  ...(['given up', 'successor', 'next transaction', 'timed out', 'its process is dead', 'dead and timed out'] as const),
]

/** Mostly the end of a transaction; of six one is another write. */
function late(draw: Draw, n: number): Planned {
  const api = n % 6 < 5 ? 'EndTxn' : n % 12 < 6 ? 'Produce' : 'TxnOffsetCommit'
  const until = untils[(n + Math.floor(n / 6)) % untils.length]!
  return { kind: 'late', api, until, skip: Math.floor(draw() * 10) }
}

/** Of three one is killed, each in its turn. */
function upgrade(draw: Draw): PlannedUpgrade {
  const killed = Math.floor(draw() * 3)
  const order = shuffled(['a', 'b', 'c'], draw).map((process, index) => ({ process, isKilled: index === killed }))
  return { kind: 'upgrade', order }
}

function rebalance(draw: Draw, n: number): Planned {
  const held = (index: number): PlannedRebalance['coming'] => {
    const api = index % 2 === 0 ? 'EndTxn' : 'TxnOffsetCommit'
    const isLong = index % 5 === 4
    const side = draw() < 0.5 ? 'request' : 'answer'
    return { api, side, holdMs: isLong ? pastRebalanceMs : Math.floor(draw() * 500) }
  }
  return { kind: 'rebalance', application: n % 3 === 2 ? 'audit' : 'ledger', coming: held(n), going: held(n + 3) }
}
