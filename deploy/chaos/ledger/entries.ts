/** What the producers of the ledger write: an entry follows from the seed, the producer and its number alone. */

import { seeded } from '../seeded.ts'

export interface Entry {
  /** `<life of the process>.<which of its producers>` */
  readonly producer: string
  /** Counts from 0 for each producer. */
  readonly n: number
  /** Tenant and account. */
  readonly key: string
  readonly amount: number
  readonly pad: string
  /** The program cannot take it. */
  readonly bad: boolean
}

export const producersPerLife = 2
/** The most entries of one append: what may stand in the log although it was never acknowledged. */
export const entriesPerAppend = 20
/** An append that takes longer makes its entries older than the log's order says, in ms. */
export const slowMs = 200
const accounts = 40
/** One in so many entries is bad. */
const badOneIn = 50

export function entryOf(seed: number, producer: string, n: number): Entry {
  const [life = 0, index = 0] = producer.split('.').map(Number)
  const draw = seeded(
    seed ^ Math.imul(life + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b) ^ Math.imul(n, 0xc2b2ae35),
  )
  const account = Math.floor(draw() * accounts)
  return {
    producer,
    n,
    key: `${draw() < 0.5 ? 'a' : 'b'}|${String(account).padStart(2, '0')}`,
    amount: 1 + Math.floor(draw() * 100),
    pad: 'x'.repeat(Math.floor(draw() * 200)),
    bad: draw() < 1 / badOneIn,
  }
}

export const valueOf = ({ producer, n, amount, pad, bad }: Entry): string =>
  `${producer}:${n}:${amount}:${pad}${bad ? ':bad' : ''}`

/** @throws Error when it is not the value of an entry */
export function parseEntry(key: string, value: string): Entry {
  const [producer, n, amount, pad, bad] = value.split(':')
  if (producer === undefined || n === undefined || amount === undefined || pad === undefined)
    throw new Error(`not an entry: ${key}=${value.slice(0, 60)}`)
  return { producer, n: Number(n), key, amount: Number(amount), pad, bad: bad !== undefined }
}

/** How long an account may stand still before its timer says so, in ms: 100 to 2000 by account. */
export const idleMsOf = (key: string): number => 100 + Math.floor((1900 * Number(key.split('|')[1])) / (accounts - 1))

/** The group an entry is counted in: the key of the repartition topic. */
export const groupOf = ({ n }: Pick<Entry, 'n'>): string => `g${n % 7}`
