/** What outlives an interruption: a run goes on with `--resume`, and its counts go on too. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Asked, ChaosArguments } from '../arguments.ts'
import type { Planned } from './schedule.ts'
import { schedule } from './schedule.ts'

export type Counts = Record<string, number>

export interface Progress {
  readonly seed: number
  readonly asked: Asked
  /** All that is to happen: what is tried again is added. */
  readonly planned: Planned[]
  /** How many of it are over. */
  done: number
  kills: number
  killsInStart: number
  brokerKills: number
  readonly killsAtPlaces: Counts
  /** By kind and what it struck, e.g. `cut answer EndTxn`. */
  readonly faults: Counts
  lives: number
  acknowledged: [producer: string, last: number][]
  /** Entries whose append took long: their timestamps are older than the log's order says. */
  readonly slow: [producer: string, first: number, last: number][]
  committed: [place: string, offset: string][]
  /** Second processes that have been there: their state is on disk too. */
  readonly processes: string[]
  checks: number
  /** Of the last check. */
  entries: number
  records: number
  /** Of all checks. */
  recordsChecked: number
  bytesBehindMax: number
  seconds: number
  readonly findings: string[]
}

const fileOf = (directory: string): string => join(directory, 'progress.json')

export function newProgress(options: ChaosArguments): Progress {
  const { kills, brokerKills, places, placeNames, cuts, late, zombies, rebalances } = options
  const { upgrades, before, transactionVersion, secured } = options
  const onWire = { cuts, late, zombies, rebalances, upgrades, before }
  const asked = { kills, brokerKills, places, placeNames, ...onWire, transactionVersion, secured }
  return {
    planned: [...schedule(options.seed, asked, options.log, options.lifeMs)],
    ...{ seed: options.seed, asked, done: 0, kills: 0, killsInStart: 0, brokerKills: 0, killsAtPlaces: {} },
    ...{ faults: {}, lives: 0, acknowledged: [], slow: [], committed: [], processes: ['a'], checks: 0, entries: 0 },
    ...{ records: 0, recordsChecked: 0, bytesBehindMax: 0, seconds: 0, findings: [] },
  }
}

/** @throws Error with one line when nothing was begun there */
export function readProgress(directory: string): Progress {
  const file = fileOf(directory)
  if (!existsSync(file)) throw new Error(`--resume: ${directory} holds no run of chaos (no progress.json in it)`)
  return JSON.parse(readFileSync(file, 'utf8')) as Progress
}

export const saveProgress = (directory: string, progress: Progress): void =>
  writeFileSync(fileOf(directory), JSON.stringify(progress))

export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by
}
