/**
 * Plays a script on a `Broker` and answers in the normal form: on ours with their time turned by hand, and on a real Kafka
 * through our client of it. `kafka/` does the same with Kafka's own code.
 */

import { LogError, RecordBatchBuilder, RecordCursor } from '../../connectors/kafka/index.ts'
import type { Broker, GroupMetadata, ProduceBatch, TopicPartition } from '../../connectors/kafka/index.ts'
import { embedded, extracted, Names, pair, recordsOf, shortened } from './normal-form.ts'
import type { Answer } from './normal-form.ts'
import type { Asking, BatchSpec, OffsetSpec, RecordSpec, Request, Script, Step } from './steps.ts'

/** A broker and the world around it. */
export interface Stage {
  readonly broker: Broker
  /** Turns the clock. */
  wait(ms: number): Promise<void>
  /** Lets what was asked run as far as it comes without time passing. */
  settle(): Promise<void>
  /** A request that is not awaited has reached the broker. */
  reached(request: Request): Promise<void>
  /** The markers of a transaction are written. */
  written(transactionalId: string): Promise<void>
  /** Cleans what may be cleaned now. */
  compact(place: TopicPartition): Promise<void>
}

type RequestOf<T extends Request['do']> = Extract<Request, { do: T }>

interface Producer {
  readonly transactionalId: string | null
  id: bigint
  epoch: number
  readonly sequences: Map<string, number>
}

interface Member {
  group: string
  memberId: string
  instanceId: string | null
  generation: number
}

const again = ['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS']
/** Where our codes are not spelt as Kafka's. */
const spelling: Readonly<Record<string, string>> = { RECORD_TOO_LARGE: 'MESSAGE_TOO_LARGE' }
const spelt = (code: string): string => spelling[code] ?? code

/** How long a request may take, in ms of the hand-turned clock. */
const ANSWER_WITHIN_MS = 60_000
const TICK_MS = 10
const MAX_FETCH_BYTES = 1 << 20

export async function play(script: Script, stage: Stage): Promise<Answer[]> {
  const player = new Player(stage)
  const answers: Answer[] = []
  for (const step of script.steps) answers.push(await player.answer(step))
  return player.names.resolve(answers)
}

class Player {
  readonly names = new Names()
  readonly #stage: Stage
  readonly #producers = new Map<string, Producer>()
  readonly #members = new Map<string, Member>()
  readonly #started = new Map<string, { done: boolean; answer: Promise<Answer> }>()

  constructor(stage: Stage) {
    this.#stage = stage
  }

  async answer(step: Step): Promise<Answer> {
    switch (step.do) {
      case 'wait':
        await this.#stage.wait(step.ms)
        return null
      case 'pending':
        return !this.#startedAs(step.name).done
      case 'await':
        return this.#inTime(this.#startedAs(step.name).answer)
      default:
    }
    if (step.start === undefined) return this.#inTime(this.#perform(step))
    const started = { done: false, answer: this.#perform(step) }
    started.answer.then(
      () => (started.done = true),
      () => (started.done = true),
    )
    this.#started.set(step.start, started)
    await this.#stage.reached(step)
    return null
  }

  #startedAs(name: string): { done: boolean; answer: Promise<Answer> } {
    const started = this.#started.get(name)
    if (started === undefined) throw new Error(`nothing was started as ${name}`)
    return started
  }

  /** Time goes on only while nothing else does. */
  async #inTime(answer: Promise<Answer>): Promise<Answer> {
    let done = false
    const watched = answer.finally(() => (done = true))
    watched.catch(() => undefined)
    await this.#stage.settle()
    for (let ms = 0; !done && ms < ANSWER_WITHIN_MS; ms += TICK_MS) await this.#stage.wait(TICK_MS)
    if (!done) return { error: 'NO_ANSWER' }
    return watched
  }

  /** Again while the coordinator says only that it is not there yet, or busy, as every client does. */
  async #perform(step: Request): Promise<Answer> {
    const codes = 'once' in step && step.once === true ? again : [...again, 'CONCURRENT_TRANSACTIONS']
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#request(step)
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        if (!codes.includes(error.code) || attempt === 200) return { error: spelt(error.code) }
        await this.#stage.wait(TICK_MS)
      }
    }
  }

  #request(step: Request): Promise<Answer> {
    switch (step.do) {
      case 'createTopic':
        return this.#createTopic(step)
      case 'metadata':
        return this.#metadata(step)
      case 'initProducer':
        return this.#initProducer(step)
      case 'produce':
        return this.#produce(step)
      case 'fetch':
        return this.#fetch(step)
      case 'consume':
        return this.#consume(step)
      case 'listOffsets':
        return this.#listOffsets(step)
      case 'deleteRecords':
        return this.#deleteRecords(step)
      case 'compact':
        return this.#stage.compact(placeOf(step.in)).then(() => null)
      case 'endTxn':
        return this.#endTxn(step)
      case 'txnOffsets':
        return this.#txnOffsets(step)
      case 'join':
        return this.#join(step)
      case 'sync':
        return this.#sync(step)
      case 'heartbeat':
        return done(this.#broker.heartbeat(this.#asking(step)))
      case 'leave':
        return done(this.#broker.leaveGroup(this.#asking(step)))
      case 'commit':
        return done(this.#broker.offsetCommit({ group: this.#groupMetadata(step), offsets: offsetsOf(step.offsets) }))
      case 'committed':
        return this.#committed(step)
      case 'describe':
        return this.#describe(step)
    }
  }

  get #broker(): Broker {
    return this.#stage.broker
  }

  #createTopic({ topic, partitions, config }: RequestOf<'createTopic'>): Promise<Answer> {
    return done(this.#broker.createTopics([{ name: topic, partitions, config }]))
  }

  async #metadata({ topics }: RequestOf<'metadata'>): Promise<Answer> {
    const known = await this.#broker.metadata(topics)
    return Object.fromEntries(known.map(({ name, partitions }) => [name, partitions] as const).sort())
  }

  async #initProducer({ as, id, timeoutMs }: RequestOf<'initProducer'>): Promise<Answer> {
    const request = { transactionalId: id, transactionTimeoutMs: timeoutMs }
    const { producerId, epoch } = await this.#broker.initProducerId(request)
    this.#producers.set(as, { transactionalId: id, id: producerId, epoch, sequences: new Map() })
    return { producer: this.names.producer(producerId), epoch }
  }

  #producer(name: string): Producer {
    const producer = this.#producers.get(name)
    if (producer === undefined) throw new Error(`no producer is called ${name}`)
    return producer
  }

  async #produce({ by, batches, transactionalId }: RequestOf<'produce'>): Promise<Answer> {
    const producer = this.#producer(by)
    const answers = await this.#broker.produce({
      transactionalId: transactionalId === undefined ? producer.transactionalId : transactionalId,
      batches: batches.map((batch) => this.#batch(batch, producer)),
    })
    const offsets = batches.map((batch, i) => {
      const answer = answers[i]
      if (answer === undefined) return 'NO_ANSWER'
      if (answer.error !== null) return spelt(answer.error)
      if (batch.sequence === undefined)
        producer.sequences.set(batch.to, (producer.sequences.get(batch.to) ?? 0) + batch.records.length)
      return Number(answer.baseOffset)
    })
    return { offsets }
  }

  #batch(spec: BatchSpec, own: Producer): ProduceBatch {
    const producer = spec.identity === undefined ? own : this.#producer(spec.identity)
    const builder = new RecordBatchBuilder()
    for (const record of spec.records) append(builder, record)
    const batch = builder.build(
      spec.plain === true
        ? { producerId: -1n, epoch: -1, baseSequence: -1, transactional: false }
        : {
            producerId: producer.id,
            epoch: producer.epoch + (spec.epoch ?? 0),
            baseSequence: spec.sequence ?? own.sequences.get(spec.to) ?? 0,
            transactional: spec.transactional ?? producer.transactionalId !== null,
          },
    )
    if (spec.corrupt === true) batch[batch.length - 1]! ^= 0x55
    return { ...placeOf(spec.to), batch }
  }

  async #fetch(step: RequestOf<'fetch'>): Promise<Answer> {
    const offset = BigInt(step.offset)
    const [fetched] = await this.#broker.fetch({
      partitions: [{ ...placeOf(step.from), offset, maxBytes: step.maxBytes ?? MAX_FETCH_BYTES }],
      isolation: step.isolation,
      maxWaitMs: step.maxWaitMs ?? 0,
    })
    if (fetched === undefined) return { error: 'NO_ANSWER' }
    if (fetched.error !== null) return { error: spelt(fetched.error) }
    const aborted = fetched.aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
    return {
      records: recordsOf(fetched, offset, this.names),
      aborted: aborted.map(({ firstOffset, producerId }) => `${firstOffset} ${this.names.producer(producerId)}`),
      high: Number(fetched.highWatermark),
      stable: Number(fetched.lastStableOffset),
      start: Number(fetched.logStartOffset),
    }
  }

  async #consume(step: RequestOf<'consume'>): Promise<Answer> {
    const { isolation } = step
    const place = placeOf(step.from)
    const [end = 0n] = await this.#broker.listOffsets([place], isolation === 'read_committed' ? 'stable' : 'latest')
    const records: string[] = []
    let position = BigInt(step.offset)
    while (position < end) {
      const partitions = [{ ...place, offset: position, maxBytes: step.maxBytes ?? MAX_FETCH_BYTES }]
      const [fetched] = await this.#broker.fetch({ partitions, isolation, maxWaitMs: 0 })
      if (fetched === undefined || fetched.error !== null) return { error: spelt(fetched?.error ?? 'NO_ANSWER') }
      const cursor = new RecordCursor(fetched, position, isolation)
      while (cursor.next()) records.push(`${cursor.offset} ${pair(cursor)}`)
      if (cursor.nextOffset === position) return { error: 'NO_PROGRESS' }
      position = cursor.nextOffset
    }
    return { records, next: Number(position) }
  }

  async #listOffsets({ of, which }: RequestOf<'listOffsets'>): Promise<Answer> {
    const [offset] = await this.#broker.listOffsets([placeOf(of)], which)
    return { offset: Number(offset) }
  }

  #deleteRecords({ in: where, before }: RequestOf<'deleteRecords'>): Promise<Answer> {
    return done(this.#broker.deleteRecords([{ ...placeOf(where), offset: BigInt(before) }]))
  }

  async #endTxn(step: RequestOf<'endTxn'>): Promise<Answer> {
    const producer = this.#producer(step.by)
    const identity = step.identity === undefined ? producer : this.#producer(step.identity)
    const { producerId, epoch } = await this.#broker.endTxn({
      transactionalId: producer.transactionalId ?? '',
      producerId: identity.id,
      epoch: identity.epoch + (step.epoch ?? 0),
      outcome: step.outcome,
    })
    // Markers may still be on their way: what a script reads next comes after them.
    if (step.once !== true) await this.#stage.written(producer.transactionalId ?? '')
    if (step.keep !== true) {
      producer.id = producerId
      producer.epoch = epoch
      producer.sequences.clear()
    }
    return { producer: this.names.producer(producerId), epoch }
  }

  #txnOffsets(step: RequestOf<'txnOffsets'>): Promise<Answer> {
    const producer = this.#producer(step.by)
    return done(
      this.#broker.txnOffsetCommit({
        transactionalId: step.transactionalId ?? producer.transactionalId ?? '',
        producerId: step.identity === undefined ? producer.id : this.#producer(step.identity).id,
        epoch: producer.epoch + (step.epoch ?? 0),
        group: this.#groupMetadata(step),
        offsets: offsetsOf(step.offsets),
      }),
    )
  }

  async #join(step: RequestOf<'join'>): Promise<Answer> {
    const member = this.#memberOf(step.as)
    if (step.group !== undefined) member.group = step.group
    if (step.instanceId !== undefined) member.instanceId = step.instanceId
    const join = (memberId: string): ReturnType<Broker['joinGroup']> =>
      this.#broker.joinGroup({
        groupId: member.group,
        memberId,
        instanceId: member.instanceId,
        sessionTimeoutMs: step.sessionMs,
        rebalanceTimeoutMs: step.rebalanceMs,
        protocolType: step.protocolType,
        protocols: step.protocols.map(([name, metadata]) => ({ name, metadata: embedded(metadata) })),
      })
    let answer = await join(step.memberId === undefined ? member.memberId : this.names.memberId(step.memberId))
    if (!('generationId' in answer)) {
      member.memberId = answer.memberId
      const name = this.names.bind(step.as, answer.memberId)
      if (step.once === true) return { error: 'MEMBER_ID_REQUIRED', member: name }
      answer = await join(answer.memberId)
    }
    if (!('generationId' in answer)) return { error: 'MEMBER_ID_REQUIRED' }
    member.memberId = answer.memberId
    member.generation = answer.generationId
    const { generationId, protocolName, leaderId, memberId, members, skipAssignment } = answer
    return {
      generation: generationId,
      protocol: protocolName,
      me: this.names.bind(step.as, memberId),
      leader: this.names.member(leaderId),
      members: members.map((one) => `${this.names.member(one.memberId)} ${one.instanceId} ${extracted(one.metadata)}`),
      ...(skipAssignment ? { skipAssignment } : {}),
    }
  }

  #memberOf(as: string): Member {
    const member = this.#members.get(as) ?? { group: '', memberId: '', instanceId: null, generation: -1 }
    this.#members.set(as, member)
    return member
  }

  #asking(step: Asking): { groupId: string; memberId: string; instanceId: string | null; generationId: number } {
    const member = step.as === undefined ? undefined : this.#members.get(step.as)
    return {
      groupId: step.group ?? member?.group ?? '',
      memberId: step.memberId === undefined ? (member?.memberId ?? '') : this.names.memberId(step.memberId),
      instanceId: step.instanceId === undefined ? (member?.instanceId ?? null) : step.instanceId,
      generationId: step.generationIs ?? (member?.generation ?? -1) + (step.generation ?? 0),
    }
  }

  #groupMetadata(step: Asking): GroupMetadata {
    const { groupId, memberId, instanceId, generationId } = this.#asking(step)
    return { groupId, memberId, groupInstanceId: instanceId, generationId }
  }

  async #sync(step: RequestOf<'sync'>): Promise<Answer> {
    const assignments = Object.entries(step.assignments ?? {}).map(([name, assignment]) => ({
      memberId: this.names.memberId(`@${name}`),
      assignment: embedded(assignment),
    }))
    return { assignment: extracted(await this.#broker.syncGroup({ ...this.#asking(step), assignments })) }
  }

  async #committed({ group, of, stable }: RequestOf<'committed'>): Promise<Answer> {
    const partitions = of.map(placeOf)
    const offsets = await this.#broker.offsetFetch({ groupId: group, partitions, requireStable: stable })
    return { offsets: offsets.map((one) => (one === null ? null : `${one.offset} ${shortened(one.metadata)}`)) }
  }

  async #describe({ group }: RequestOf<'describe'>): Promise<Answer> {
    const [found] = await this.#broker.describeGroups([group])
    const members = (found?.members ?? []).map((one) => `${this.names.member(one.memberId)} ${one.instanceId}`)
    return { state: found?.state ?? 'Dead', members }
  }
}

const done = (request: Promise<void>): Promise<Answer> => request.then(() => ({}))

function placeOf(text: string): TopicPartition {
  const colon = text.lastIndexOf(':')
  return { topic: text.slice(0, colon), partition: Number(text.slice(colon + 1)) }
}

const offsetsOf = (offsets: readonly OffsetSpec[]) =>
  offsets.map(([place, offset, metadata]) => ({
    ...placeOf(place),
    offset: BigInt(offset),
    metadata: typeof metadata === 'number' ? 'm'.repeat(metadata) : metadata,
  }))

function append(builder: RecordBatchBuilder, record: RecordSpec): void {
  const key = record.key === null ? null : Buffer.from(record.key)
  const text = record.valueBytes === undefined ? record.value : 'x'.repeat(record.valueBytes)
  const headers = (record.headers ?? []).map(([name, value]) => ({ key: name, value: Buffer.from(value) }))
  builder.append(record.timestamp, key, text === null ? null : Buffer.from(text), headers)
}
