/**
 * What kill -9 costs: `node bench/restart/recovery.ts`. Our engine and Kafka Streams (EOS v2, static membership, one thread) one
 * after the other on one broker: about a gigabyte of state, 20,000 records a second, killed and started again at once. Measured
 * from the start of the new process: the first record that it commits, and when it has caught up; beside it how many changelog
 * records it read. `--keys`, `--per-second` and `--kills` change the size.
 */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import type { Log } from '../../connectors/kafka/index.ts'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import { partitions, valueBytes } from './program.ts'
import type { ProcessOptions, Run } from './site.ts'
import { Load, lagOf, openLog, placesOf, startOurs, startTheirs, streamsJars, sum, until } from './site.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { keys: text, 'per-second': text, kills: text, only: text } })
const keys = Number(values.keys ?? 5_000_000)
const perSecond = Number(values['per-second'] ?? 20_000)
const kills = Number(values.kills ?? 3)
const minute = 60_000
const keyBytes = 16

const scratch = await mkdtemp(join(tmpdir(), 'recovery-'))
const jars = await streamsJars()
const classes = join(scratch, 'classes')
await mkdir(classes)
await promisify(execFile)('javac', ['-cp', join(jars, '*'), '-d', classes, join(import.meta.dirname, 'Peer.java')])
const classPath = [classes, join(jars, '*')].join(':')
const kafka = await startKafka({ directory: join(scratch, 'kafka'), jars: await kafkaJars() })
const log = await openLog(kafka.bootstrap)

interface Kill {
  readonly firstCommitMs: number
  readonly caughtUpMs: number
  readonly restored: number
}

interface Side {
  readonly name: string
  start(options: ProcessOptions): Run
}

const sides: readonly Side[] = [
  { name: 'ours', start: startOurs },
  { name: 'Kafka Streams', start: (options) => startTheirs(options, classPath) },
]

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const restoredBy = ({ lines }: Run): number =>
  lines.reduce((total, { text: said }) => total + Number(/^restored (\d+)/.exec(said)?.[1] ?? 0), 0)

async function measure({ name, start }: Side): Promise<Kill[]> {
  const application = `keep-${name === 'ours' ? 'ours' : 'theirs'}`
  const topics = { application, input: `${application}-in`, output: `${application}-out` }
  const config = { 'retention.ms': '-1' }
  await log.createTopics([topics.input, topics.output].map((topic) => ({ name: topic, partitions, config })))
  const options = { bootstrap: kafka.bootstrap, directory: join(scratch, application), id: application, topics }
  const load = new Load(log, topics.input)
  let run = start(options)
  const filledFrom = performance.now()
  await load.fill(keys)
  await until('the state is filled', 30 * minute, async () => (await lagOf(log, topics)) === 0n)
  const seconds = (performance.now() - filledFrom) / 1000
  const bytes = keys * (keyBytes + valueBytes)
  say(`${name}: ${(bytes / 2 ** 30).toFixed(2)} GiB of state, filled at ${Math.round(keys / seconds)} records/s`)
  load.start(perSecond, keys)
  const all: Kill[] = []
  for (let kill = 0; kill < kills; kill++) {
    await sleep(15_000)
    const lag = await lagOf(log, topics)
    run.child.kill('SIGKILL')
    await run.exited
    run = start(options)
    all.push(await recovery(log, run, topics))
    const { firstCommitMs, caughtUpMs, restored } = all.at(-1)!
    say(
      `${name}: killed at a lag of ${lag}: first commit after ${firstCommitMs} ms, caught up after ${caughtUpMs} ms, ` +
        `${restored} changelog records (${((restored * (keyBytes + valueBytes)) / 2 ** 20).toFixed(1)} MiB) read`,
    )
  }
  await load.stop()
  run.child.kill('SIGTERM')
  await run.exited
  return all
}

async function recovery(of: Log, run: Run, topics: ProcessOptions['topics']): Promise<Kill> {
  const places = placesOf(topics.output)
  const stable = async (): Promise<bigint> => sum(await of.listOffsets(places, 'stable'))
  const before = sum(await of.listOffsets(places, 'latest'))
  // What it left open is settled first: only what the new process commits goes past the end that there was.
  await until('a record is committed', 30 * minute, async () => (await stable()) > before + BigInt(2 * partitions))
  const firstCommitMs = Math.round(performance.now() - run.startedAtMs)
  await until('it has caught up', 30 * minute, async () => (await lagOf(of, topics)) < BigInt(perSecond))
  return { firstCommitMs, caughtUpMs: Math.round(performance.now() - run.startedAtMs), restored: restoredBy(run) }
}

const results: [string, Kill[]][] = []
try {
  for (const side of sides)
    if (values.only === undefined || values.only === side.name) results.push([side.name, await measure(side)])
  const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0
  for (const [name, all] of results)
    say(
      `${name}: median to the first commit ${median(all.map((one) => one.firstCommitMs))} ms, to having caught up ${median(all.map((one) => one.caughtUpMs))} ms`,
    )
} finally {
  await log.close()
  await kafka.stop()
  await rm(scratch, { recursive: true, force: true })
}
process.exit(0)
