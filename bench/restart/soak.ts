/**
 * Whether anything grows: `node bench/restart/soak.ts`. One process at full speed for twenty minutes; every few seconds it says
 * how much memory, file handles and timers it has. Printed is what each grows by in ten minutes, by the line that fits best what was
 * seen after the first five. `--minutes` makes it shorter or longer.
 *
 * RocksDB keeps indexes and filters of its files in its block cache, those of files that are gone too, until that is full: with 64
 * MiB, as the product has, memory grows by so much over the first twenty minutes. So it has less here, which is full in the warm-up.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import type { Vitals } from './process.ts'
import { partitions } from './program.ts'
import type { Line } from './site.ts'
import { Load, lagOf, openLog, startOurs } from './site.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, 'warm-up': { type: 'string' } } })
const minutes = Number(values.minutes ?? 20)
const warmUpMinutes = Number(values['warm-up'] ?? 5)
const minute = 60_000
const keys = 200_000
/** A MiB for each task's database: the least there is. */
const blockCacheMiB = partitions
/** Records that may wait: the process is never idle, and what it reads is still in the broker's memory. */
const lagMax = 300_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const scratch = await mkdtemp(join(tmpdir(), 'soak-'))
const kafka = await startKafka({
  directory: join(scratch, 'kafka'),
  jars: await kafkaJars(),
  settings: { 'log.retention.check.interval.ms': '10000' },
})
const log = await openLog(kafka.bootstrap)
const topics = { application: 'keep', input: 'keep-in', output: 'keep-out' }
// As much as stays on a disk over the time, whatever was written.
const config = { 'retention.bytes': String(128 * 2 ** 20), 'segment.bytes': String(32 * 2 ** 20) }

/** What a series grows by in ten minutes, as a share of its mean. */
function growthOf(series: readonly { readonly atMs: number; readonly value: number }[]): number {
  const mean = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length
  const [at, level] = [mean(series.map(({ atMs }) => atMs)), mean(series.map(({ value }) => value))]
  const spread = series.reduce((sum, { atMs }) => sum + (atMs - at) ** 2, 0)
  const slope = series.reduce((sum, { atMs, value }) => sum + (atMs - at) * (value - level), 0) / spread
  return (slope * 10 * minute) / level
}

const names = ['rssMiB', 'heapMiB', 'externalMiB', 'fileHandles', 'timers'] as const

/** The mean of each minute, from the first on. */
function byMinute(seen: readonly (Vitals & { readonly atMs: number })[], name: (typeof names)[number]): string {
  const begin = seen[0]?.atMs ?? 0
  const minutesOf = Map.groupBy(seen, ({ atMs }) => Math.floor((atMs - begin) / minute))
  const mean = (of: readonly Vitals[]): number => of.reduce((sum, vitals) => sum + vitals[name], 0) / of.length
  return [...minutesOf.values()].map((of) => Math.round(mean(of))).join(' ')
}

const vitalsOf = ({ atMs, text }: Line): (Vitals & { readonly atMs: number })[] =>
  text.startsWith('vitals ') ? [{ atMs, ...(JSON.parse(text.slice(7)) as Vitals) }] : []

try {
  await log.createTopics([topics.input, topics.output].map((name) => ({ name, partitions, config })))
  const load = new Load(log, topics.input)
  const run = startOurs({
    bootstrap: kafka.bootstrap,
    directory: join(scratch, 'one'),
    id: 'one',
    topics,
    vitals: true,
    blockCacheMiB,
  })
  const from = performance.now()
  while (performance.now() - from < minutes * minute && run.child.exitCode === null) {
    await load.fill(keys)
    while ((await lagOf(log, topics)) > BigInt(lagMax) && run.child.exitCode === null) await sleep(50)
  }
  const seen = run.lines.flatMap(vitalsOf)
  const late = seen.filter(({ atMs }) => atMs - run.startedAtMs > warmUpMinutes * minute)
  const seconds = (performance.now() - from) / 1000
  say(
    `${Math.round(load.written / seconds)} records/s over ${Math.round(seconds)} s, ${late.length} samples after the warm-up`,
  )
  for (const name of names) {
    const series = late.map((vitals) => ({ atMs: vitals.atMs, value: vitals[name] }))
    say(
      `${name.padEnd(12)} ${(100 * growthOf(series)).toFixed(2)} % in ten minutes; by minute: ${byMinute(seen, name)}`,
    )
  }
  run.child.kill('SIGTERM')
  await run.exited
} finally {
  await log.close()
  await kafka.stop()
  await rm(scratch, { recursive: true, force: true })
}
process.exit(0)
