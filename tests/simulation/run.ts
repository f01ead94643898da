/**
 * One seed: a safety phase with faults, then a healed world that must converge within bounded time (I13), then all
 * invariants over what happened.
 */

import { changelogTopic } from '../../topology/index.ts'
import { windowSlackMs } from '../../topology/runtime/topics.ts'
import type { Canary } from './canaries.ts'
import { canaries } from './canaries.ts'
import { checkDeadLetters } from './invariants/dead-letters.ts'
import { checkInput } from './invariants/input.ts'
import type { Changelog } from './invariants/state.ts'
import { checkState } from './invariants/state.ts'
import { checkHanging } from './invariants/transactions.ts'
import type { Options } from './options.ts'
import { changed, drawOptions } from './options.ts'
import type { ProgramFactory, Violation } from './program.ts'
import { World } from './world.ts'

export interface Outcome {
  readonly seed: number
  readonly ok: boolean
  /** All that was drawn; only seed and program when the run did not come back. */
  readonly options: Partial<Options> & Pick<Options, 'seed' | 'program'>
  readonly violations: readonly Violation[]
  readonly traceHash: string
  readonly stats: Stats
}

export interface Stats {
  readonly tasks: number
  readonly records: number
  readonly faults: number
  readonly faultsByKind: Readonly<Record<string, number>>
  readonly crashHits: Readonly<Record<string, number>>
  readonly crashPasses: Readonly<Record<string, number>>
  readonly endings: Readonly<Record<string, number>>
  readonly events: number
  /** Virtual time from the heal to convergence, in ms. */
  readonly healedMs: number
  readonly virtualMs: number
}

export interface RunOptions {
  readonly seed: number
  /** Instead of the one the seed draws. */
  readonly program?: string | undefined
  /** Options that are not as the seed draws them. */
  readonly changes?: Readonly<Record<string, number>> | undefined
  readonly programs: Readonly<Record<string, ProgramFactory>>
  /** A bug planted on purpose, by its name. */
  readonly canary?: string | undefined
  readonly trace?: ((line: string) => void) | undefined
  readonly notice?: ((line: string) => void) | undefined
}

/** Convergence is judged so often, and must come within this, in ms of virtual time. */
const lookEveryMs = 200
const convergeMs = 180_000
/** An orderly stop takes no longer than this, in ms. */
const stopMs = 60_000

export async function runSeed({
  seed,
  program,
  changes,
  canary,
  programs,
  trace,
  notice,
}: RunOptions): Promise<Outcome> {
  const drawn = changed(drawOptions(seed, Object.keys(programs).sort()), changes ?? {})
  const options = { ...drawn, program: program ?? drawn.program }
  const factory = programs[options.program]
  if (factory === undefined) throw new RangeError(`there is no program ${options.program}`)
  const world = new World({
    options,
    factory,
    canary: canary === undefined ? undefined : canaryOf(canary),
    trace,
    notice,
  })
  const unhandled = (error: unknown): void => world.unhandled(error)
  process.on('unhandledRejection', unhandled)
  try {
    const healedMs = await play(world, notice)
    if (world.violations.length === 0) judge(world)
    return outcomeOf(world, healedMs)
  } finally {
    process.off('unhandledRejection', unhandled)
  }
}

function canaryOf(name: string): Canary {
  const canary = canaries[name]
  if (canary === undefined) throw new RangeError(`there is no canary "${name}"`)
  return canary
}

/** @returns how long convergence took, in ms */
async function play(world: World, notice: ((line: string) => void) | undefined): Promise<number> {
  const { scheduler, options, program } = world
  const broken = (): boolean => world.violations.length > 0
  world.start()
  await scheduler.run(options.safetyMs * (program.safetyTimes ?? 1) * 1000, broken)
  if (broken()) return 0
  notice?.(`${scheduler.nowMs.toFixed(1)} ms: healed`)
  const healedAtMs = scheduler.nowMs
  world.heal()
  const ending = await converge(world)
  if (ending !== null) world.breach({ invariant: 'I13', what: ending })
  if (broken()) return 0
  const healedMs = scheduler.nowMs - healedAtMs
  await stop(world)
  return healedMs
}

/** @returns why it did not converge; null when it did */
async function converge(world: World): Promise<string | null> {
  const { scheduler } = world
  const untilUs = scheduler.nowUs + convergeMs * 1000
  // What was read may be older than what the generator has sent by now: two looks in a row must find nothing missing.
  for (let quiet = 0; ;) {
    let observed = false
    world.observe(() => (observed = true))
    const ending = await scheduler.run(
      Math.min(untilUs, scheduler.nowUs + lookEveryMs * 1000),
      () => world.violations.length > 0,
    )
    const missing = missingOf(world, observed)
    quiet = missing === null ? quiet + 1 : 0
    if (quiet === 2 || world.violations.length > 0) return null
    if (ending === 'deadlock' || ending === 'events') return `${ending} after the heal, ${missing ?? 'quiet'}`
    if (scheduler.nowUs >= untilUs) return `not converged ${convergeMs} ms after the heal: ${missing ?? 'quiet'}`
  }
}

/** What convergence still lacks. */
function missingOf(world: World, observed: boolean): string | null {
  const { evidence, feeder, observer, program } = world
  if (!observed) return 'the log could not be read'
  if (!feeder.isDone) return `the generator has sent ${feeder.sent} records and waits`
  if (world.paused) return 'a process is paused'
  const open = checkHanging(observer.partitions)[0]
  if (open !== undefined) return open.what
  const down = world.hosts.find((host) => !host.isUp)
  if (down !== undefined) return `process ${down.name} is not up`
  for (const { group, topics } of program.groups)
    for (const topic of topics)
      for (let partition = 0; partition < evidence.partitions(topic); partition++) {
        const offset = evidence.offset(group, topic, partition) ?? 0n
        const last = evidence.committed(topic, partition).at(-1)
        if (last !== undefined && last.offset >= offset)
          return `group ${group} stands at ${offset} of ${topic}-${partition}, whose last record is ${last.offset}`
      }
  return program.unfinished(evidence, feeder.fed)
}

/** All processes end in an orderly way; what they leave on disk is judged. */
async function stop(world: World): Promise<void> {
  let closed = false
  const closing = Promise.all(world.hosts.map((host) => host.close())).then(
    () => (closed = true),
    (error: unknown) => {
      world.breach({ invariant: 'I14', what: `an orderly stop failed: ${String(error)}` })
    },
  )
  const untilUs = world.scheduler.nowUs + stopMs * 1000
  await world.scheduler.run(untilUs, () => closed || world.violations.length > 0)
  if (world.violations.length > 0) return
  if (!closed) return world.breach({ invariant: 'I14', what: `an orderly stop took longer than ${stopMs} ms` })
  await closing
  let observed = false
  world.observe(() => (observed = true))
  await world.scheduler.run(world.scheduler.nowUs + 10_000_000, () => observed)
}

function judge(world: World): void {
  const { evidence, feeder, observer, program, transactions } = world
  const found = [
    ...checkInput(evidence, feeder.fed),
    ...transactions.check(world.ended),
    ...checkHanging(observer.partitions),
    ...checkDeadLetters(evidence),
    ...world.hosts.flatMap((host) =>
      [...host.disk.paths].flatMap(([path, files]) =>
        checkState(host.name, files, changelogsOf(world, path, [...files.stores.keys(), ...files.positions.keys()])),
      ),
    ),
    ...program.check(evidence, feeder.fed),
  ]
  for (const violation of found) world.breach(violation)
}

/** `application/part_partition` and its stores, with the changelogs that stand for them. */
function changelogsOf(world: World, path: string, stores: readonly string[]): Changelog[] {
  const [application = '', task = ''] = path.split('/')
  const partition = Number(task.slice(task.lastIndexOf('_') + 1))
  return [...new Set(stores)].flatMap((store) => {
    const topic = changelogTopic(application, store)
    return world.evidence.partitions(topic) === 0
      ? []
      : [
          {
            path,
            store,
            partition: world.observer.partition(topic, partition),
            retentionMs: retentionOf(world, topic),
          },
        ]
  })
}

/** How long the window store of this changelog keeps its rows, in ms of its own time; null for any other. */
function retentionOf({ observer }: World, topic: string): number | null {
  const kept = observer.expiring.get(topic)
  return kept === undefined ? null : kept - windowSlackMs
}

function outcomeOf(world: World, healedMs: number): Outcome {
  const { scheduler, options, violations } = world
  const topics = world.program.groups.flatMap(({ topics: names }) => names)
  return {
    seed: options.seed,
    ok: violations.length === 0,
    options,
    violations,
    traceHash: scheduler.traceHash,
    stats: {
      tasks: topics.reduce((sum, topic) => sum + world.evidence.partitions(topic), 0),
      records: world.program.records?.(world.evidence) ?? world.feeder.fed.length,
      faults: world.faultCounts.total,
      faultsByKind: world.faultCounts.toJson(),
      crashHits: world.crashHits.toJson(),
      crashPasses: world.crashPasses.toJson(),
      endings: world.endings.toJson(),
      events: scheduler.events,
      healedMs,
      virtualMs: scheduler.nowMs,
    },
  }
}
