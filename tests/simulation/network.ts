/**
 * The network between simulated processes and the cluster. Each request and each answer is a message that takes its time,
 * and may be lost, copied, held up or overtaken. Nastier than Kafka's on purpose.
 *
 *   N1  A message is a copy: neither side can change what the other holds.
 *   N2  A request that was not answered in time rejects with TIMEOUT, and may still be executed later, or twice.
 *   N3  Messages of one connection keep their order, unless the fault `reorder` says otherwise.
 *   N4  After the faults are healed, every message arrives once and in order, and none is left over.
 */

import type {
  Broker,
  EndTxnRequest,
  FetchRequest,
  FetchedPartition,
  JoinGroupRequest,
  JoinGroupResponse,
  LogErrorCode,
  MemberIdRequired,
  ProduceRequest,
  SyncGroupRequest,
  TopicPartition,
} from '../../connectors/kafka/index.ts'
import { LogError } from '../../connectors/kafka/index.ts'
import { BATCH_HEADER_BYTES, sizeOf } from '../../connectors/kafka/batch-format.ts'
import type { Histogram } from './histogram.ts'
import type { Life } from './process.ts'
import type { Chance } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface NetworkFaults {
  readonly dropRequest: number
  readonly dropAnswer: number
  readonly duplicate: number
  /** A request arrives after its sender gave up. */
  readonly late: number
  readonly reorder: number
  /** A fetch's answer ends after fewer batches than the broker sent. */
  readonly cutFetch: number
}

export const noNetworkFaults: NetworkFaults = {
  dropRequest: 0,
  dropAnswer: 0,
  duplicate: 0,
  late: 0,
  reorder: 0,
  cutFetch: 0,
}

export interface NetworkTimes {
  /** One way, in us: the least, and the mean of what comes on top. */
  readonly latencyUs: number
  readonly jitterUs: number
  readonly requestTimeoutMs: number
}

type Part = 'transactions' | 'groups' | 'data'

interface Message {
  readonly part: Part
  readonly copy: boolean
  fate: 'arrives' | 'lost' | 'late'
}

/** What happened to a request that ends a transaction: the truth that checkers hold readers to. */
export interface EndedTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
  readonly outcome: 'commit' | 'abort'
  readonly error: LogErrorCode | null
}

export interface ClusterOptions {
  readonly scheduler: Scheduler
  readonly chance: Chance
  readonly times: NetworkTimes
  readonly histogram: Histogram
  /** Looks at partitions before records of theirs are deleted. */
  readonly beforeDelete: (broker: Broker, partitions: readonly TopicPartition[]) => Promise<void>
}

/** The cluster's side of the network: where requests arrive. */
export class Cluster {
  readonly ended: EndedTransaction[] = []
  readonly times: NetworkTimes
  readonly chance: Chance
  readonly beforeDelete: ClusterOptions['beforeDelete']
  readonly #scheduler: Scheduler
  readonly #histogram: Histogram
  readonly #inFlight = new Set<Message>()
  readonly #clogs = new Map<string, { out: boolean; back: boolean; held: (() => void)[] }>()
  readonly #moving: Record<Part, number> = { transactions: 0, groups: 0, data: 0 }
  #broker: Broker | null = null
  #faults: NetworkFaults = noNetworkFaults
  #incarnation = 0

  constructor(options: ClusterOptions) {
    this.#scheduler = options.scheduler
    this.#histogram = options.histogram
    this.chance = options.chance
    this.times = options.times
    this.beforeDelete = options.beforeDelete
  }

  get broker(): Broker | null {
    return this.#broker
  }

  /** What was on its way to the broker before is lost, and so are its answers. */
  replaceBroker(broker: Broker | null): void {
    this.#broker = broker
    this.#incarnation++
  }

  setFaults(faults: NetworkFaults): void {
    this.#faults = faults
  }

  /** Holds the messages of a process up, one way or both, until it is released. */
  clog(process: string, out: boolean, back: boolean): void {
    const held = this.#clogs.get(process)?.held ?? []
    this.#clogs.set(process, { out, back, held })
    this.#histogram.count(out && back ? 'clog' : 'clog one way')
  }

  release(process: string): void {
    const clog = this.#clogs.get(process)
    this.#clogs.delete(process)
    for (const pass of clog?.held ?? []) pass()
  }

  get clogged(): readonly string[] {
    return [...this.#clogs.keys()]
  }

  /** A coordinator moves: it answers nobody for a while, and what is on its way to the old one is lost or runs late. */
  move(part: 'transactions' | 'groups', forMs: number): void {
    this.#histogram.count('coordinator move')
    this.#moving[part] = this.#scheduler.nowUs + forMs * 1000
    for (const message of this.#inFlight)
      if (message.part === part && message.fate === 'arrives') message.fate = this.chance.of(['lost', 'late'])
  }

  /** Ends what the faults left (N4). */
  heal(): void {
    this.setFaults(noNetworkFaults)
    for (const process of this.clogged) this.release(process)
    for (const part of ['transactions', 'groups', 'data'] as const) this.#moving[part] = 0
    for (const message of this.#inFlight) if (message.copy || message.fate === 'late') message.fate = 'lost'
  }

  /**
   * Sends a request on its way.
   * @param answer called at most once, when the answer is ready to be sent back
   */
  send<T>(
    from: { readonly process: string; readonly where: string; readonly lane: { freeAtUs: number } },
    part: Part,
    what: string,
    run: (broker: Broker) => Promise<T>,
    answer: (result: T | null, error: unknown) => void,
  ): void {
    const faults = this.#faults
    const message: Message = { part, copy: false, fate: 'arrives' }
    if (this.chance.chance(faults.dropRequest)) return this.#histogram.count(`drop request ${what}`)
    if (this.chance.chance(faults.late)) {
      message.fate = 'late'
      this.#histogram.count(`late ${what}`)
    }
    if (this.chance.chance(faults.duplicate)) {
      this.#histogram.count(`duplicate ${what}`)
      const copy: Message = { part, copy: true, fate: 'arrives' }
      this.#travel(from.where, `copy ${what}`, this.#longWhile(), copy, run, () => undefined)
    }
    const waitUs = this.#oneWay(from.lane)
    this.#pass(from.process, 'out', () => this.#travel(from.where, what, waitUs, message, run, answer))
  }

  /** Brings an answer back to a process. */
  back(life: Life, lane: { freeAtUs: number }, what: string, deliver: () => void): void {
    if (this.chance.chance(this.#faults.dropAnswer)) return this.#histogram.count(`drop answer ${what}`)
    const waitUs = this.#oneWay(lane)
    this.#pass(life.process, 'back', () => void life.later(waitUs, `answer ${what}`, deliver))
  }

  get cutsFetch(): boolean {
    return this.chance.chance(this.#faults.cutFetch)
  }

  countCut(): void {
    this.#histogram.count('cut fetch')
  }

  #travel<T>(
    where: string,
    what: string,
    waitUs: number,
    message: Message,
    run: (broker: Broker) => Promise<T>,
    answer: (result: T | null, error: unknown) => void,
  ): void {
    this.#inFlight.add(message)
    this.#scheduler.after(waitUs, where, what, () => {
      if (message.fate === 'late') {
        const late: Message = { part: message.part, copy: true, fate: 'arrives' }
        const lateUs = this.times.requestTimeoutMs * 1000 * (1 + this.chance.unit())
        this.#inFlight.delete(message)
        this.#travel(where, `late ${what}`, lateUs, late, run, () => undefined)
        return
      }
      this.#inFlight.delete(message)
      if (message.fate === 'lost') return
      this.#arrive(message.part, run, answer)
    })
  }

  #arrive<T>(
    part: Part,
    run: (broker: Broker) => Promise<T>,
    answer: (result: T | null, error: unknown) => void,
  ): void {
    const broker = this.#broker
    const incarnation = this.#incarnation
    if (broker === null) return
    if (this.#scheduler.nowUs < this.#moving[part]) {
      const code = this.chance.of([
        'NOT_COORDINATOR',
        'COORDINATOR_LOAD_IN_PROGRESS',
        'COORDINATOR_NOT_AVAILABLE',
      ] as const)
      answer(null, new LogError(code, 'the coordinator moves', 'retry'))
      return
    }
    run(broker).then(
      (result) => {
        if (incarnation === this.#incarnation) answer(result, null)
      },
      (error: unknown) => {
        if (incarnation === this.#incarnation) answer(null, error)
      },
    )
  }

  #pass(process: string, way: 'out' | 'back', go: () => void): void {
    const clog = this.#clogs.get(process)
    if (clog?.[way] === true) clog.held.push(go)
    else go()
  }

  #oneWay(lane: { freeAtUs: number }): number {
    const nowUs = this.#scheduler.nowUs
    const latency = this.times.latencyUs + this.chance.exponential(this.times.jitterUs)
    if (this.#faults.reorder > 0 && this.chance.chance(this.#faults.reorder)) {
      this.#histogram.count('reorder')
      return latency + this.chance.exponential(this.times.jitterUs * 20)
    }
    const arrival = Math.max(nowUs + latency, lane.freeAtUs + 1)
    lane.freeAtUs = arrival
    return arrival - nowUs
  }

  /** Milliseconds to many seconds. */
  #longWhile(): number {
    return this.chance.logBetween(1000, 20_000_000)
  }
}

/** One process's client side of the network. */
export class NetworkBroker implements Broker {
  readonly #cluster: Cluster
  readonly #life: Life
  readonly #lanes = new Map<string, { out: { freeAtUs: number }; back: { freeAtUs: number } }>()
  readonly clusterId: string

  constructor(cluster: Cluster, life: Life, clusterId: string) {
    this.#cluster = cluster
    this.#life = life
    this.clusterId = clusterId
  }

  metadata: Broker['metadata'] = (names) => this.#ask('data', 'admin', 'metadata', (broker) => broker.metadata(names))
  createTopics: Broker['createTopics'] = (specs) =>
    this.#ask('data', 'admin', 'createTopics', (broker) => broker.createTopics(specs))
  listOffsets: Broker['listOffsets'] = (partitions, which) =>
    this.#ask('data', 'admin', 'listOffsets', (broker) => broker.listOffsets(places(partitions), which))
  deleteRecords: Broker['deleteRecords'] = (before) =>
    this.#ask('data', 'admin', 'deleteRecords', async (broker) => {
      await this.#cluster.beforeDelete(broker, before)
      await broker.deleteRecords(before)
    })
  initProducerId: Broker['initProducerId'] = (request) =>
    this.#ask('transactions', 'coordinator', 'initProducerId', (broker) => broker.initProducerId(request))
  txnOffsetCommit: Broker['txnOffsetCommit'] = (request) =>
    this.#ask('groups', 'offsets', 'txnOffsetCommit', (broker) => broker.txnOffsetCommit(request))
  heartbeat: Broker['heartbeat'] = (request) =>
    this.#ask('groups', 'group', 'heartbeat', (broker) => broker.heartbeat(request))
  leaveGroup: Broker['leaveGroup'] = (request) =>
    this.#ask('groups', 'group', 'leaveGroup', (broker) => broker.leaveGroup(request))
  offsetCommit: Broker['offsetCommit'] = (request) =>
    this.#ask('groups', 'offsets', 'offsetCommit', (broker) => broker.offsetCommit(request))
  offsetFetch: Broker['offsetFetch'] = (request) =>
    this.#ask('groups', 'offsets', 'offsetFetch', (broker) => broker.offsetFetch(request))
  describeGroups: Broker['describeGroups'] = (ids) =>
    this.#ask('groups', 'admin', 'describeGroups', (broker) => broker.describeGroups(ids))

  async joinGroup(request: JoinGroupRequest): Promise<JoinGroupResponse | MemberIdRequired> {
    const copy = {
      ...request,
      protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    }
    const more = request.rebalanceTimeoutMs
    const joined = await this.#ask('groups', 'group', 'joinGroup', (broker) => broker.joinGroup(copy), more)
    if (!('members' in joined)) return joined
    return {
      ...joined,
      members: joined.members.map((member) => ({ ...member, metadata: Buffer.from(member.metadata) })),
    }
  }

  async syncGroup(request: SyncGroupRequest): Promise<Buffer> {
    const assignments = request.assignments.map(({ memberId, assignment }) => ({
      memberId,
      assignment: Buffer.from(assignment),
    }))
    const copy = { ...request, assignments }
    return Buffer.from(await this.#ask('groups', 'group', 'syncGroup', (broker) => broker.syncGroup(copy)))
  }

  produce: Broker['produce'] = (request) => {
    const sealed = request.batches.map((batch) => ({ ...batch, batch: Buffer.from(batch.batch) }))
    const again = (): ProduceRequest => ({
      transactionalId: request.transactionalId,
      batches: sealed.map((batch) => ({ ...batch, batch: Buffer.from(batch.batch) })),
    })
    return this.#ask('data', 'produce', 'produce', (broker) => broker.produce(again()))
  }

  endTxn: Broker['endTxn'] = (request) =>
    this.#ask('transactions', 'coordinator', `endTxn ${request.outcome}`, async (broker) => {
      try {
        const next = await broker.endTxn(request)
        this.#ended(request, null)
        return next
      } catch (error) {
        this.#ended(request, error instanceof LogError ? error.code : 'STORAGE_ERROR')
        throw error
      }
    })

  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    const { signal, ...asked } = request
    if (signal?.aborted === true) return []
    const stop = new AbortController()
    const partitions = request.partitions.map((partition) => ({ ...partition }))
    const asking = this.#ask(
      'data',
      'fetch',
      'fetch',
      async (broker) => {
        const fetched = await broker.fetch({ ...asked, partitions, signal: stop.signal })
        return fetched.map((answer) => this.#copied(answer))
      },
      request.maxWaitMs,
    )
    if (signal === undefined) return asking
    const given = Promise.withResolvers<readonly FetchedPartition[]>()
    const abort = (): void => {
      stop.abort()
      given.resolve([])
    }
    signal.addEventListener('abort', abort, { once: true })
    asking.then(given.resolve, given.reject)
    try {
      return await given.promise
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  close = async (): Promise<void> => undefined

  #ended({ transactionalId, producerId, epoch, outcome }: EndTxnRequest, error: LogErrorCode | null): void {
    this.#cluster.ended.push({ transactionalId, producerId, epoch, outcome, error })
  }

  /** A copy, sometimes of the first batches only. */
  #copied(answer: FetchedPartition): FetchedPartition {
    let end = answer.batches.length
    if (end > 0 && this.#cluster.cutsFetch) {
      end = cutAfter(answer.batches, this.#cluster.chance)
      if (end < answer.batches.length) this.#cluster.countCut()
    }
    return { ...answer, aborted: [...answer.aborted], batches: Buffer.from(answer.batches.subarray(0, end)) }
  }

  #ask<T>(part: Part, lane: string, what: string, run: (broker: Broker) => Promise<T>, moreMs = 0): Promise<T> {
    const life = this.#life
    if (life.isDead) return new Promise(() => undefined)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const lanes = this.#lane(lane)
    const timeout = life.after(this.#cluster.times.requestTimeoutMs + moreMs, () =>
      reject(new LogError('TIMEOUT', `${what} was not answered in time`, 'retry')),
    )
    const from = { process: life.process, where: life.life, lane: lanes.out }
    const answer = (result: T | null, error: unknown): void =>
      this.#cluster.back(life, lanes.back, what, () => {
        timeout()
        if (error === null) resolve(result as T)
        else reject(asLogError(error))
      })
    // Who was stopped in the middle of its work says nothing more until it goes on.
    life.deliver(() => this.#cluster.send(from, part, what, run, answer))
    return promise
  }

  #lane(name: string): { out: { freeAtUs: number }; back: { freeAtUs: number } } {
    let lane = this.#lanes.get(name)
    if (lane === undefined) this.#lanes.set(name, (lane = { out: { freeAtUs: 0 }, back: { freeAtUs: 0 } }))
    return lane
  }
}

const places = <T extends object>(list: readonly T[]): T[] => list.map((one) => ({ ...one }))

/** An error crosses the wire as code and message. */
const asLogError = (error: unknown): Error =>
  error instanceof LogError ? new LogError(error.code, error.message, error.then) : (error as Error)

/** Where some whole batches, at least one, end. */
function cutAfter(batches: Buffer, chance: Chance): number {
  const ends: number[] = []
  for (let at = 0; at + BATCH_HEADER_BYTES <= batches.length; at += sizeOf(batches, at)) {
    const end = at + sizeOf(batches, at)
    if (end > batches.length) break
    ends.push(end)
  }
  return ends.length === 0 ? batches.length : chance.of(ends)
}
