/**
 * The engine under kill -9: the ledger's process is killed at seeded moments and started again on the same directory. At
 * every `checkEvery`-th kill and in the end a checker reads a copy of it (`checks.ts` says what must be true).
 */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Kafka } from '../../local/kafka.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../local/kafka.ts'
import { allow } from '../../local/kafka-acls.ts'
import { applicationRights } from '../../kafka-rights.ts'
import { machineClock } from '../../machine.ts'
import type { ChaosArguments } from '../arguments.ts'
import type { KillMoment } from '../seeded.ts'
import { killMoments, seeded } from '../seeded.ts'
import { startLogFindings } from '../start-log.ts'
import { copyOf } from '../state-lag.ts'
import type { CheckAnswer, Expected } from './check.ts'
import { auditProgram, ledgerProgram } from './programs.ts'

export interface LedgerReport {
  readonly program: 'ledger'
  readonly seed: number
  readonly kills: number
  /** Kills before the process was ready: while it opened, recovered or restored. */
  readonly kills_in_start: number
  /** How often the broker died and came back under it. */
  readonly broker_kills: number
  /** How often it died at each named place between two effects. */
  readonly kills_at_places: Readonly<Record<string, number>>
  readonly checks: number
  readonly acknowledged: number
  readonly entries: number
  readonly records: number
  /** The most changelog records that one start of one task replayed. */
  readonly restored_records_max: number
  readonly bytes_behind_max: number
  readonly seconds: number
  readonly findings: readonly string[]
}

/** What outlives an interruption: a run goes on with `--resume`. */
interface Progress {
  seed: number
  kills: number
  killsInStart: number
  brokerKills: number
  killsAtPlaces: Record<string, number>
  lives: number
  acknowledged: [string, number][]
  committed: [string, string][]
}

interface Site {
  readonly options: ChaosArguments
  readonly directory: string
  readonly dataDir: string
  readonly logFile: string
  readonly progress: Progress
  /** Null on the embedded log. */
  readonly kafka: Kafka | null
  /** The process that must not outlive us. */
  child: ChildProcess | null
}

const say = (line: string): void => void process.stdout.write(`chaos: ${line}\n`)

export async function runLedger(options: ChaosArguments): Promise<LedgerReport> {
  const site = await openSite(options)
  const interrupted = (): void => {
    site.child?.kill('SIGKILL')
    const goOn = site.kafka === null ? `; go on with --resume ${site.directory}` : ''
    say(`interrupted after ${site.progress.kills} kills${goOn}`)
    process.exit(130)
  }
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, interrupted)
  say(`seed ${site.progress.seed}, data in ${site.dataDir}`)
  const begun = performance.now()
  const totals = { checks: 0, entries: 0, records: 0, bytesBehindMax: 0, findings: [] as string[] }
  const add = async (isEnd: boolean): Promise<void> => {
    const answer = await check(site, isEnd)
    totals.checks += 1
    Object.assign(totals, { entries: answer.entries, records: answer.records })
    totals.bytesBehindMax = Math.max(totals.bytesBehindMax, answer.bytesBehindMax)
    totals.findings.push(...answer.findings.map((line) => `kill ${site.progress.kills}: ${line}`))
    say(
      `kill ${site.progress.kills} of ${options.kills}: ${answer.entries} entries, ${answer.records} records checked, at most ${answer.bytesBehindMax} bytes behind${answer.findings.length === 0 ? '' : `, ${answer.findings.length} FINDINGS`}`,
    )
  }
  const isOver = (): boolean => performance.now() - begun > options.timeoutMin * 60_000 || totals.findings.length > 0
  try {
    for (const kill of killsOf(site)) {
      if (isOver()) break
      await killAt(site, kill)
      if (site.progress.kills % options.checkEvery === 0) await add(false)
    }
    if (totals.findings.length === 0) {
      await drain(site)
      await add(true)
    }
  } finally {
    site.child?.kill('SIGKILL')
    await site.kafka?.stop()
    for (const signal of signals) process.off(signal, interrupted)
  }
  const { kills, killsInStart, brokerKills, killsAtPlaces, acknowledged } = site.progress
  if (kills < options.kills && totals.findings.length === 0)
    totals.findings.push(`only ${kills} of ${options.kills} kills within ${options.timeoutMin} minutes`)
  const log = readFileSync(site.logFile, 'utf8')
  totals.findings.push(...startLogFindings(log))
  if (totals.findings.length === 0 && !options.keep) rmSync(site.directory, { recursive: true, force: true })
  return {
    ...{ program: 'ledger', seed: site.progress.seed, kills, kills_in_start: killsInStart, checks: totals.checks },
    broker_kills: brokerKills,
    kills_at_places: killsAtPlaces,
    acknowledged: acknowledged.reduce((sum, [, last]) => sum + last + 1, 0),
    ...{ entries: totals.entries, records: totals.records, restored_records_max: restoredMax(log) },
    bytes_behind_max: totals.bytesBehindMax,
    seconds: Math.round((performance.now() - begun) / 1000),
    findings: totals.findings,
  }
}

async function openSite(options: ChaosArguments): Promise<Site> {
  const directory = options.resume ?? mkdtempSync(join(tmpdir(), 'chaos-'))
  const progress: Progress =
    options.resume === null
      ? {
          seed: options.seed,
          kills: 0,
          killsInStart: 0,
          brokerKills: 0,
          killsAtPlaces: {},
          lives: 0,
          acknowledged: [],
          committed: [],
        }
      : (JSON.parse(readFileSync(join(directory, 'progress.json'), 'utf8')) as Progress)
  const dataDir = join(directory, 'data')
  mkdirSync(dataDir, { recursive: true })
  const logFile = join(directory, 'instance.log')
  appendFileSync(logFile, '')
  const kafka = options.log === 'kafka' ? await startBrokers(join(directory, 'kafka'), options) : null
  return { options, directory, dataDir, logFile, progress, kafka, child: null }
}

/**
 * Members die quickly there, and brokers are missed soon. Where brokers die there are three: one that is alone and comes back
 * may have lost the markers of a transaction that it had decided (Kafka 4.3.1), and then nobody can read on.
 * @throws Error with one line
 */
async function startBrokers(directory: string, { brokerKills, secured }: ChaosArguments): Promise<Kafka> {
  const lacks = await kafkaLacks()
  if (lacks !== null) throw new Error(lacks)
  const settings = {
    'group.min.session.timeout.ms': '500',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
  }
  const security = { users: { [user.name]: user.password } }
  const started = await startKafka({
    ...{ directory, settings, jars: await kafkaJars(), nodes: brokerKills > 0 ? 3 : 1 },
    ...(secured ? { security } : {}),
  })
  const programs = [ledgerProgram(), auditProgram(machineClock, () => 0)]
  if (secured)
    await allow(
      started,
      user.name,
      programs.flatMap((program) => applicationRights(program, true)),
    )
  return started
}

/** Who asks, where that is asked. */
const user = { name: 'ledger', password: 'of-the-ledger' }

const atBroker = ({ kafka, options }: Site): string[] => {
  if (kafka === null) return []
  return ['--kafka', options.secured ? `${user.name}:${user.password}@${kafka.secured.plain}` : kafka.bootstrap]
}

function save({ directory, progress }: Site): void {
  writeFileSync(join(directory, 'progress.json'), JSON.stringify(progress))
}

interface Life {
  readonly ready: Promise<boolean>
  readonly ended: Promise<{ code: number | null; signal: string | null }>
  kill(): void
}

/** Starts the process; what it acknowledges is remembered as it says so. */
function start(site: Site, further: readonly string[] = []): Life {
  const { progress, dataDir, logFile, options } = site
  const script = fileURLToPath(new URL('./child.ts', import.meta.url))
  const numbers = { seed: progress.seed, life: progress.lives++, 'flush-bytes': options.stateFlushBytes }
  const given = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(process.execPath, [script, '--directory', dataDir, ...atBroker(site), ...given, ...further], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  site.child = child
  child.stderr.on('data', (chunk: Buffer) => appendFileSync(logFile, chunk))
  const acknowledged = new Map(progress.acknowledged)
  const ready = Promise.withResolvers<boolean>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [what, producer, last] = line.split(' ')
    if (what === 'ready') ready.resolve(true)
    if (what !== 'acked' || producer === undefined) return
    acknowledged.set(producer, Number(last))
    progress.acknowledged = [...acknowledged]
  })
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', reject)
    // After its pipes: everything it said has been read by then.
    child.once('close', (code, signal) => {
      site.child = null
      ready.resolve(false)
      resolve({ code, signal })
    })
  })
  return { ready: ready.promise, ended, kill: () => void child.kill('SIGKILL') }
}

/** Places between two effects of the engine and of its log (`crash('C07')` in the sources) that one process comes to. */
const placesOfEngine = [
  ...['C01', 'C02', 'C03', 'C04', 'C05', 'C06', 'C07', 'C08', 'C09', 'C10', 'C11', 'C12', 'C14', 'C15', 'C18', 'C19'],
]
const placesOfLog = ['C26', 'C27', 'C28', 'C30']

/** How long a process may take to come to its place after it became ready, in ms. */
const placeMs = 1_500

interface Kill extends KillMoment {
  /** One in three dies by itself, at such a place and pass; by the clock when it does not come there. */
  readonly at: { readonly place: string; readonly pass: number } | null
  /** In this life the broker dies too, and is away for so long, in ms; null when it does not. */
  readonly brokerAwayMs: number | null
}

/** A start takes less time than the product's: what is killed in it must fall into it. */
function killsOf({ options, progress, kafka }: Site): Kill[] {
  const places = kafka === null ? [...placesOfEngine, ...placesOfLog] : placesOfEngine
  const draw = seeded(progress.seed ^ 0x5bd1e995)
  const { kills, brokerKills, lifeMs } = options
  return killMoments(progress.seed, kills, lifeMs, 900)
    .map((moment, index): Kill => {
      // Spread evenly.
      const isOfBroker = Math.floor(((index + 1) * brokerKills) / kills) > Math.floor((index * brokerKills) / kills)
      const brokerAwayMs = isOfBroker ? Math.floor(draw() * longestAwayMs) : null
      if (isOfBroker) return { ...moment, after: 'ready', at: null, brokerAwayMs }
      const [isAtPlace, place, pass] = [draw() < 1 / 3, places[Math.floor(draw() * places.length)], 1 + Math.floor(draw() * 3)] // prettier-ignore
      if (!isAtPlace || place === undefined) return { ...moment, at: null, brokerAwayMs }
      return { after: 'ready', waitMs: placeMs, at: { place, pass }, brokerAwayMs }
    })
    .slice(progress.kills)
}

/** The longest that a broker stays away before it is started again, in ms: past its own session and those of members. */
const longestAwayMs = 5_000

/** The process must live through it. One broker after the other. */
async function killBroker({ kafka, progress }: Site, awayMs: number): Promise<void> {
  if (kafka === null) return
  const node = kafka.nodes[progress.brokerKills % kafka.nodes.length]!
  node.kill()
  await node.stop()
  await sleep(awayMs)
  await node.start()
  progress.brokerKills += 1
}

/** The longest a start may take, in ms. */
const readyMs = 180_000

/** Also when it has ended before. @throws Error when it neither is ready nor ends */
async function readyInTime(site: Site, life: Life): Promise<void> {
  const timer = new AbortController()
  const late = sleep(readyMs, 'late' as const, { signal: timer.signal }).catch(() => null)
  const first = await Promise.race([life.ready, late])
  timer.abort()
  if (first === 'late') throw new Error(`the process was not ready in ${readyMs} ms; see ${site.logFile}`)
}

async function killAt(site: Site, { after, waitMs, at, brokerAwayMs }: Kill): Promise<void> {
  const life = start(site, at === null ? [] : ['--crash', `${at.place}:${at.pass}`])
  let [wasReady, byItself] = [false, true]
  void life.ready.then((ready) => (wasReady = ready))
  if (after === 'ready') await readyInTime(site, life)
  if (brokerAwayMs !== null) {
    await sleep(waitMs)
    await killBroker(site, brokerAwayMs)
  }
  await Promise.race([sleep(waitMs).then(() => (byItself = false)), life.ended])
  life.kill()
  const { code, signal } = await life.ended
  if (signal !== 'SIGKILL') throw new Error(`the process ended by itself with code ${code}; see ${site.logFile}`)
  site.progress.kills += 1
  if (!wasReady) site.progress.killsInStart += 1
  const counts = site.progress.killsAtPlaces
  if (byItself && at !== null) counts[at.place] = (counts[at.place] ?? 0) + 1
  save(site)
}

/** Lets the process finish everything and end by itself. */
async function drain(site: Site): Promise<void> {
  const life = start(site, ['--drain'])
  const timer = setTimeout(() => life.kill(), drainMs)
  const { code, signal } = await life.ended
  clearTimeout(timer)
  if (code !== 0) throw new Error(`the process did not finish: ${signal ?? `code ${code}`}; see ${site.logFile}`)
}

/** The longest the process may take to finish what was begun, in ms. */
const drainMs = 120_000

async function check(site: Site, isEnd: boolean): Promise<CheckAnswer> {
  const { progress, options } = site
  const copy = await copyOf(site.dataDir)
  try {
    const expected: Expected = {
      ...{ seed: progress.seed, flushBytes: options.stateFlushBytes, acknowledged: progress.acknowledged },
      committedBefore: progress.committed,
    }
    const file = join(site.directory, 'expected.json')
    writeFileSync(file, JSON.stringify(expected))
    const answer = JSON.parse(await runChecker(['--directory', copy, ...atBroker(site), '--expect', file, ...(isEnd ? ['--end'] : [])])) as CheckAnswer // prettier-ignore
    progress.committed = answer.committed.map(([place, offset]) => [place, offset])
    save(site)
    return answer
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function runChecker(args: readonly string[]): Promise<string> {
  const script = fileURLToPath(new URL('./check.ts', import.meta.url))
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(said.out)
      else reject(new Error(`the checker ended with code ${code}: ${said.err.slice(-2000)}`))
    })
  })
}

function restoredMax(log: string): number {
  return Math.max(0, ...[...log.matchAll(/restored (\d+) changelog records/g)].map(([, records]) => Number(records)))
}
