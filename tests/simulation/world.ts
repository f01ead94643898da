/**
 * One simulated world: scheduler, cluster, broker, hosts, the generator, faults and the observer, made of one seed.
 */

import type { Broker, Log } from '../../connectors/kafka/index.ts'
import { LogClient } from '../../connectors/kafka/index.ts'
import type { RuntimeSettings } from '../../topology/index.ts'
import { defaultRuntimeSettings } from '../../topology/index.ts'
import type { Canary } from './canaries.ts'
import { BrokerHost } from './broker-host.ts'
import { StateDisk } from './databases.ts'
import { Disk } from './disk.ts'
import { LogEvidence } from './evidence.ts'
import type { Blow } from './faults.ts'
import { Faults, whoever } from './faults.ts'
import { Feeder } from './feeder.ts'
import { Histogram } from './histogram.ts'
import { Host } from './host.ts'
import type { HostEdges } from './host.ts'
import { CommittedOffsets } from './invariants/committed-offsets.ts'
import { checkPrefix } from './invariants/log-prefix.ts'
import { Transactions } from './invariants/transactions.ts'
import { Cluster, NetworkBroker } from './network.ts'
import type { SeenBatch, SeenPartition } from './observer.ts'
import { Observer, offsetsTopic } from './observer.ts'
import type { Options } from './options.ts'
import { Life, ProcessDied } from './process.ts'
import type { Program, ProgramFactory, Violation } from './program.ts'
import { Chance } from './random.ts'
import { Scheduler } from './scheduler.ts'

/** What true time 0 is, in ms since the epoch. */
export const epochMs = 1_767_225_600_000
const observeEveryMs = 250
const maxEvents = 1_500_000
const feederName = 'feeder'

export interface WorldOptions {
  readonly options: Options
  readonly factory: ProgramFactory
  /** A bug that is planted on purpose. */
  readonly canary?: Canary | undefined
  readonly trace?: ((line: string) => void) | undefined
  /** Lines that a person may read when something failed. */
  readonly notice?: ((line: string) => void) | undefined
}

export class World {
  readonly options: Options
  readonly scheduler: Scheduler
  readonly program: Program
  readonly faultCounts = new Histogram()
  readonly crashHits = new Histogram()
  readonly crashPasses = new Histogram()
  /** How processes ended by themselves, by error code. */
  readonly endings = new Histogram()
  readonly violations: Violation[] = []
  readonly observer: Observer
  readonly offsets = new CommittedOffsets()
  readonly transactions = new Transactions()
  readonly evidence: LogEvidence
  readonly hosts: readonly Host[]
  readonly feeder: Feeder
  readonly faults: Faults
  readonly #cluster: Cluster
  readonly #brokerHost: BrokerHost
  readonly #chance: Chance
  readonly #armed = new Map<string, { point: string; passes: number; blow: Blow }>()
  /** What is armed for whoever comes to a point of the program's, by point. */
  readonly #paths: ReadonlyMap<string, string>
  readonly #lives: Life[] = []
  readonly #notice: (line: string) => void
  readonly #canary: Canary | null
  #feederLife: Life | null = null
  #lifeCount = 0
  #clusterId = ''
  #furthestAheadMs = 0

  constructor({ options, factory, canary, trace, notice }: WorldOptions) {
    this.options = options
    this.#canary = canary ?? null
    this.#chance = Chance.of(options.seed)
    this.#notice = notice ?? (() => undefined)
    this.scheduler = new Scheduler({ trace, maxEvents })
    const settings: RuntimeSettings = { ...defaultRuntimeSettings, ...options.settings }
    this.program = factory({ partitions: options.partitions, runtime: settings, chance: this.#chance.fork('program') })
    this.#paths = new Map(this.program.crashPoints?.flatMap((path) => path.map((point) => [point, whoever(path)])))
    this.#cluster = new Cluster({
      scheduler: this.scheduler,
      chance: this.#chance.fork('network'),
      times: options.network,
      histogram: this.faultCounts,
      beforeDelete: (broker, partitions) => this.observer.hurry(broker, partitions),
    })
    this.observer = new Observer(
      () => this.scheduler.nowMs,
      (partition, batches) => this.#seen(partition, batches),
      (partition) => {
        this.transactions.skipped(partition)
        if (partition.topic === offsetsTopic) this.offsets.skipped()
      },
    )
    const clocks = { epochMs, furthestAheadMs: () => this.#furthestAheadMs }
    this.evidence = new LogEvidence(this.observer, this.offsets, () => this.scheduler.nowMs, clocks)
    this.#brokerHost = new BrokerHost({
      disk: new Disk(options.disk, this.#chance.fork('disk')),
      fsync: options.fsync,
      segmentBytes: options.segmentBytes,
      cleanIntervalMs: options.cleanIntervalMs,
      newLife: () => this.#newLife('broker', 0),
      changed: (broker, starts) => this.#brokerChanged(broker, starts),
      notice: (life, line) => this.#note(life, line),
    })
    this.hosts = Array.from(
      { length: clamped(options.processes, this.program.processesLeast ?? 1, this.program.processesMost ?? Infinity) },
      (_, index) => this.#host(`p${index + 1}`),
    )
    this.feeder = this.#makeFeeder()
    this.faults = new Faults({
      options,
      scheduler: this.scheduler,
      chance: this.#chance.fork('faults'),
      histogram: this.faultCounts,
      cluster: this.#cluster,
      brokerHost: this.#brokerHost,
      hosts: this.hosts,
      processes: [...this.hosts.map(({ name }) => name), feederName],
      arm: (process, point, passes, blow) => void this.#armed.set(process, { point, passes, blow }),
      isArmed: (process) => this.#armed.has(process),
      passesOf: (point) => this.crashPasses.counts.get(point) ?? 0,
      disarm: () => this.#armed.clear(),
      crashPoints: this.program.crashPoints ?? [],
      ownCrashShare: this.program.ownCrashShare,
      givenUpMs: this.program.givenUpMs ?? options.settings.sessionTimeoutMs ?? 0,
      clockJumpMostMs: this.program.clockJumpMostMs ?? Infinity,
      restartFeeder: () => this.#startFeeder(),
    })
  }

  get broker(): Broker | null {
    return this.#cluster.broker
  }

  get ended(): Cluster['ended'] {
    return this.#cluster.ended
  }

  get paused(): boolean {
    return this.#lives.some((life) => life.isPaused)
  }

  /** Starts the broker; everything else follows when it is up. */
  start(): void {
    this.#brokerHost.start()
  }

  breach(violation: Violation): void {
    if (this.violations.length < 20) this.violations.push(violation)
    this.scheduler.note('world', `violation of ${violation.invariant}`)
    this.#notice(`${this.scheduler.nowMs.toFixed(1)} ms: ${violation.invariant}: ${violation.what}`)
  }

  /** A promise nobody waits for was rejected: by the death of its process, or by a bug. */
  unhandled(error: unknown): void {
    if (!(error instanceof ProcessDied)) this.breach({ invariant: 'I14', what: `unhandled rejection: ${shown(error)}` })
  }

  /** Everything goes on: the dead rise, clocks are set right. */
  heal(): void {
    this.faults.heal()
    this.program.healed?.()
    for (const host of this.hosts) {
      const life = host.life
      if (life !== null) life.jump(-life.skewMs)
      host.start()
    }
    this.#brokerHost.start()
  }

  /** Begins a pass of the observer; `done` when it has read everything. */
  observe(done: () => void = () => undefined): void {
    const broker = this.broker
    if (broker !== null) void this.observer.pass(broker).then(done)
  }

  // Making things ------------------------------------------------------------------------------------------------

  #host(name: string): Host {
    const edges: HostEdges = {
      newLife: (process) => this.#newLife(process, this.#drawSkew()),
      begins: (host) => this.faults.armStart(host),
      openLog: (life) => this.#openLog(life),
      outside: (life, service, work) => this.#outside(life, service, work),
      notice: (life, line) => this.#note(life, line),
      troubled: (life, error) => this.#troubled(life, error),
    }
    return new Host(name, new StateDisk(this.options.stateWriteUs), this.program, edges)
  }

  #makeFeeder(): Feeder {
    const chance = this.#chance.fork('feeder')
    const { records, safetyMs } = this.options
    const counts = new Map(this.program.topics.map(({ name, partitions }) => [name, partitions]))
    return new Feeder({
      program: this.program,
      chance,
      wanted: this.program.wanted ?? records,
      everyMs: (safetyMs / records) * 5,
      partitionsOf: (topic) => counts.get(topic) ?? 1,
      transactional: chance.chance(0.5),
      aborts: chance.of([0, 0.1, 0.3]),
      lingers: chance.of([0, 0.1, 0.3]),
    })
  }

  #drawSkew(): number {
    const { skewMs } = this.options.clock
    return skewMs === 0 ? 0 : this.#chance.between(-skewMs, skewMs)
  }

  #newLife(process: string, skewMs: number): Life {
    const name = `${process}.${++this.#lifeCount}`
    const life: Life = new Life({
      scheduler: this.scheduler,
      chance: this.#chance.fork(name),
      process,
      life: name,
      epochMs,
      skewMs,
      skewed: (ms) => (this.#furthestAheadMs = Math.max(this.#furthestAheadMs, ms)),
      crashes: (point) => this.#crashes(process, point, life),
      uncaught: (error) => this.breach({ invariant: 'I14', what: `uncaught in ${name}: ${shown(error)}` }),
    })
    this.#lives.push(life)
    return life
  }

  #openLog(life: Life): Log {
    const broker = new NetworkBroker(this.#cluster, life, this.#clusterId)
    const isHost = life.process !== feederName
    return new LogClient({
      broker: this.#canary !== null && isHost ? this.#canary(broker, life.chance.fork('canary')) : broker,
      clock: life.clock,
      random: life.chance,
      notice: (line: string) => this.#note(life, line),
      deliveryTimeoutMs: 8000,
      retryBackoffMs: 30,
    })
  }

  #outside<T>(life: Life, service: string, work: () => T): Promise<T> {
    const { meanUs, lost, lostAnswer } = this.options.outside
    const chance = life.chance
    if (life.isDead) return new Promise(() => undefined)
    const fails = (share: number, what: string): boolean => {
      const failed = this.faults.isOn && chance.chance(share)
      if (failed) this.faultCounts.count(`${what} ${service}`)
      return failed
    }
    const [requestLost, answerLost] = [fails(lost, 'lost call'), fails(lostAnswer, 'lost answer of call')]
    return new Promise((resolve, reject) => {
      const back = (answer: () => void): void =>
        void life.later(chance.exponential(meanUs), `answer ${service}`, answer)
      const gone = (): void => reject(Object.assign(new Error(`${service} did not answer`), { then: 'retry' }))
      const leave = (): void =>
        void this.scheduler.after(chance.exponential(meanUs), life.life, `call ${service}`, () => {
          if (requestLost) return back(gone)
          let answer: () => void
          try {
            const result = work()
            answer = () => resolve(result)
          } catch (error) {
            answer = () => reject(error as Error)
          }
          back(answerLost ? gone : answer)
        })
      life.deliver(leave)
    })
  }

  // What happens -------------------------------------------------------------------------------------------------

  #crashes(process: string, point: string, life: Life): boolean {
    this.crashPasses.count(point)
    const who = this.#armed.get(process)?.point === point ? process : this.#paths.get(point)
    const armed = who === undefined ? undefined : this.#armed.get(who)
    if (who === undefined || armed?.point !== point || --armed.passes > 0) return false
    this.#armed.delete(who)
    if (armed.blow !== 'die') {
      this.#notice(`${this.scheduler.nowMs.toFixed(1)} ms: ${life.life} meets a ${armed.blow} at ${point}`)
      this.faults.strike(process, life, armed.blow)
      return false
    }
    this.crashHits.count(point)
    this.faultCounts.count('crash at point')
    this.scheduler.note(life.life, `dies at ${point}`)
    this.#notice(`${this.scheduler.nowMs.toFixed(1)} ms: ${life.life} dies at ${point}`)
    this.scheduler.after(0, life.life, `died at ${point}`, () => this.#died(process, life))
    return true
  }

  #died(process: string, life: Life): void {
    const downMs = this.faults.downMs()
    if (process === 'broker') return this.#brokerHost.died(life, downMs, this.faults.brokerPower())
    const host = this.hosts.find(({ name }) => name === process)
    if (host === undefined || host.life !== life) return
    host.crash(downMs)
    this.faults.afterCrash(host)
  }

  #troubled(life: Life, error: Error): number {
    const code = 'code' in error ? String(error.code) : error.name
    this.endings.count(code)
    this.#note(life, `ended: ${shown(error)}`)
    if (error instanceof ProcessDied) return 100
    if (!('code' in error)) this.breach({ invariant: 'I14', what: `${life.life} ended with a bug: ${shown(error)}` })
    return 50 + life.chance.below(400)
  }

  #brokerChanged(broker: Broker | null, starts: number): void {
    this.#cluster.replaceBroker(broker)
    this.observer.forget()
    if (broker === null) return
    this.#clusterId = broker.clusterId
    if (starts === 1) void this.#firstStart(broker)
    else void this.#checkRecovery(broker)
  }

  async #firstStart(broker: Broker): Promise<void> {
    await broker.createTopics(this.program.topics)
    const everyMs = observeEveryMs
    const observe = (): void => {
      this.observe()
      for (const host of this.hosts) host.tend()
      this.scheduler.after(everyMs * 1000, 'world', 'observe', observe)
    }
    observe()
    for (const host of this.hosts) host.start()
    this.#startFeeder()
    this.faults.start()
  }

  /** The generator's process, or its next life. */
  #startFeeder(): void {
    this.#feederLife?.kill()
    const life = this.#newLife(feederName, 0)
    this.#feederLife = life
    this.feeder.run(life, this.#openLog(life))
  }

  async #checkRecovery(broker: Broker): Promise<void> {
    const isCompacted = (topic: string): boolean => topic === offsetsTopic || this.observer.compacted.has(topic)
    for (const violation of await checkPrefix(broker, this.observer, isCompacted)) this.breach(violation)
  }

  #seen(partition: SeenPartition, batches: readonly SeenBatch[]): void {
    this.scheduler.note('observer', `${partition.topic}-${partition.partition} ${partition.next}`)
    if (partition.topic === offsetsTopic) for (const violation of this.offsets.take(batches)) this.breach(violation)
    for (const violation of this.transactions.take(partition, batches)) this.breach(violation)
  }

  #note(life: Life, line: string): void {
    if (!life.isDead) this.#notice(`${this.scheduler.nowMs.toFixed(1)} ms: ${life.life}: ${line}`)
  }
}

const clamped = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most)

const shown = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
