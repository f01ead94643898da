/**
 * What a rolling restart costs those that are not restarted: `node bench/restart/rolling.ts`. Two processes share twelve
 * partitions under load; each is stopped in order and started again. Read off the committed offsets of each partition: how long
 * they stood still, for the partitions of the process that stays, against the longest they ever do while nothing happens. And
 * which states were opened and closed meanwhile. In the end one process leaves for good, with a standby of its tasks at the other.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Log } from '../../connectors/kafka/index.ts'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import { partitions } from './program.ts'
import type { ProcessOptions, Run } from './site.ts'
import { Load, lagOf, openLog, placesOf, startOurs, until } from './site.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { keys: text, 'per-second': text, rounds: text } })
const keys = Number(values.keys ?? 200_000)
const perSecond = Number(values['per-second'] ?? 5_000)
const rounds = Number(values.rounds ?? 3)
const minute = 60_000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Looks at the committed offset of each partition all the time; how long did it stand still at the most? */
class Gaps {
  readonly #log: Log
  readonly #group: string
  readonly #topic: string
  #on = true
  #moved = placesOf('').map(() => performance.now())
  #longest = placesOf('').map(() => 0)
  #offsets: bigint[] = []
  readonly done: Promise<void>

  constructor(log: Log, group: string, topic: string) {
    this.#log = log
    this.#group = group
    this.#topic = topic
    this.done = this.#look()
  }

  /** In ms, by partition, since it was last asked. */
  take(): number[] {
    const now = performance.now()
    const longest = this.#longest.map((gap, index) => Math.max(gap, now - this.#moved[index]!))
    this.#moved = this.#moved.map(() => now)
    this.#longest = this.#longest.map(() => 0)
    return longest
  }

  async stop(): Promise<void> {
    this.#on = false
    await this.done
  }

  async #look(): Promise<void> {
    const places = placesOf(this.#topic)
    while (this.#on) {
      const committed = await this.#log.committedOffsets(this.#group, places)
      const now = performance.now()
      for (const [index, one] of committed.entries()) {
        const offset = one?.offset ?? 0n
        if (offset === this.#offsets[index]) continue
        this.#offsets[index] = offset
        this.#longest[index] = Math.max(this.#longest[index]!, now - this.#moved[index]!)
        this.#moved[index] = now
      }
      await sleep(5)
    }
  }
}

const heldBy = ({ lines }: Run): Set<number> => {
  const held = new Set<number>()
  for (const { text: said } of lines) {
    const [, what, partition] = /^(open|close) .*_(\d+)$/.exec(said) ?? []
    if (what === 'open') held.add(Number(partition))
    if (what === 'close') held.delete(Number(partition))
  }
  return held
}

const longestOf = (gaps: readonly number[], of: ReadonlySet<number>): number =>
  Math.round(Math.max(...gaps.filter((_, partition) => of.has(partition))))

const scratch = await mkdtemp(join(tmpdir(), 'rolling-'))
const kafka = await startKafka({ directory: join(scratch, 'kafka'), jars: await kafkaJars() })
const log = await openLog(kafka.bootstrap)
const topics = { application: 'keep', input: 'keep-in', output: 'keep-out' }
const config = { 'retention.ms': '-1' }

const optionsOf = (id: string, more: Partial<ProcessOptions> = {}): ProcessOptions => ({
  bootstrap: kafka.bootstrap,
  directory: join(scratch, id),
  id,
  topics,
  ...more,
})

const isRunning = ({ lines }: Run): boolean => lines.some(({ text: said }) => said === 'running')

async function stopped(run: Run): Promise<void> {
  run.child.kill('SIGTERM')
  await run.exited
}

try {
  await log.createTopics([topics.input, topics.output].map((name) => ({ name, partitions, config })))
  const load = new Load(log, topics.input)
  await load.fill(keys)
  const runs = { one: startOurs(optionsOf('one')), two: startOurs(optionsOf('two')) }
  const halved = (): Promise<boolean> =>
    Promise.resolve(Object.values(runs).every((run) => heldBy(run).size === partitions / 2))
  await until('both have half of the tasks', 2 * minute, halved)
  load.start(perSecond, keys)
  await until('they have caught up', 5 * minute, async () => (await lagOf(log, topics)) < BigInt(perSecond))
  const gaps = new Gaps(log, topics.application, topics.input)
  await sleep(3_000)
  gaps.take()
  await sleep(20_000)
  const steady = gaps.take()
  say(`steady: the longest any partition stood still is ${Math.round(Math.max(...steady))} ms`)
  for (let round = 0; round < rounds; round++) {
    for (const [id, stays] of [
      ['one', 'two'],
      ['two', 'one'],
    ] as const) {
      const staying = heldBy(runs[stays])
      const said = runs[stays].lines.length
      gaps.take()
      const from = performance.now()
      await stopped(runs[id])
      runs[id] = startOurs(optionsOf(id))
      await until(`${id} is back`, minute, () => Promise.resolve(isRunning(runs[id])))
      const tookMs = Math.round(performance.now() - from)
      await sleep(2_000)
      const during = gaps.take()
      const moved = runs[stays].lines.slice(said).map(({ text: line }) => line)
      const alone = longestOf(during, staying)
      say(
        `${id} restarted in ${tookMs} ms: its partitions stood still for ${longestOf(during, heldBy(runs[id]))} ms; ` +
          `those of ${stays} for ${alone} ms, ${(alone / longestOf(steady, staying)).toFixed(2)} of steady; ` +
          `opened or closed there: ${moved.length === 0 ? 'nothing' : moved.join(', ')}`,
      )
    }
  }
  await Promise.all(Object.values(runs).map(stopped))
  await takeover(gaps)
  await gaps.stop()
  await load.stop()
} catch (error) {
  console.error(error)
  // Load and looks go on until the log is closed: what they say to that would hide it.
  process.on('unhandledRejection', () => undefined)
  process.exitCode = 1
} finally {
  await log.close()
  await kafka.stop()
  await rm(scratch, { recursive: true, force: true })
}
process.exit()

/** With a standby each, one leaves and gives up its place. */
async function takeover(gaps: Gaps): Promise<void> {
  const more = { standbys: 1, leaveOnClose: true }
  const [stays, leaves] = [startOurs(optionsOf('one', more)), startOurs(optionsOf('two', more))]
  const full = (): Promise<boolean> =>
    Promise.resolve([stays, leaves].every((run) => heldBy(run).size === partitions && isRunning(run)))
  await until('each has all states, as its own or as a standby', 3 * minute, full)
  await sleep(10_000)
  const said = stays.lines.length
  gaps.take()
  await stopped(leaves)
  await until('the work goes on', minute, async () => (await lagOf(log, topics)) < BigInt(perSecond))
  await sleep(5_000)
  const after = stays.lines.slice(said).map(({ text: line }) => line)
  const restored = after.flatMap((line) => /^restored (\d+)/.exec(line)?.[1] ?? [])
  say(
    `one left, the other had its standbys: partitions stood still for ${Math.round(Math.max(...gaps.take()))} ms at the most; ` +
      `changelog records read by tasks that moved: ${restored.length === 0 ? 'none' : restored.join(', ')}`,
  )
  await stopped(stays)
}
