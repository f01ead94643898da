/**
 * What the application may do at a Kafka that asks: exactly this, and nothing on the cluster. Names follow from the wiring, so
 * that a new service brings its own.
 */

import { ingestPrefix, relayName } from '../api/index.ts'
import { defaultDemoChatSettings, demoChatTopology } from '../connectors/agents/index.ts'
import { effectsTopology } from '../connectors/effects/index.ts'
import { producerNames } from '../client/index.ts'
import { registryNames } from '../connectors/registry/index.ts'
import { compileService, services } from '../processors/index.ts'
import { topics } from '../schemas/index.ts'
import { projections, sinkGroup } from '../sinks/index.ts'
import type { Serde, Topology } from '../topology/index.ts'
import { deadLetterTopic, repartitionTopic, topicNames } from '../topology/index.ts'
import { machineClock } from './machine.ts'
import { callTopics } from './streams/hosted-topologies.ts'

export type KafkaOperation = 'Read' | 'Write' | 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs'

/** Allowed on what has this name, or on whatever begins with it. */
export interface KafkaRight {
  readonly on: 'topic' | 'group' | 'transactional-id'
  readonly name: string
  readonly isPrefix: boolean
  readonly may: readonly KafkaOperation[]
}

/** Of everything that a process can host. @param creates whether it is to make topics that are missing */
export function kafkaRights(creates: boolean): readonly KafkaRight[] {
  const applications = allTopologies()
  const names = applications.map(({ name }) => name)
  return rightsTo({
    topics: topicsOf(applications),
    consumed: applications.flatMap(consumedTopics),
    groups: [...names, ...projections.map(sinkGroup), relayName],
    transactionalIds: [registryNames.transactionalId, relayName],
    // A process puts its own name behind these.
    transactionalPrefixes: [...names.map((name) => `${name}-`), ingestPrefix],
    creates,
  })
}

/** Of one stream application, and of whoever feeds it. */
export const applicationRights = (topology: Topology, creates: boolean): readonly KafkaRight[] =>
  rightsTo({
    topics: [...topicNames(topology)],
    consumed: consumedTopics(topology),
    groups: [topology.name],
    transactionalIds: [],
    transactionalPrefixes: [`${topology.name}-`],
    creates,
  })

function rightsTo(named: {
  readonly topics: readonly string[]
  /** Those among them whose records are dropped once they are committed. */
  readonly consumed: readonly string[]
  readonly groups: readonly string[]
  readonly transactionalIds: readonly string[]
  readonly transactionalPrefixes: readonly string[]
  readonly creates: boolean
}): readonly KafkaRight[] {
  const may: readonly KafkaOperation[] = named.creates ? ['Read', 'Write', 'Create'] : ['Read', 'Write']
  const literal = { isPrefix: false } as const
  return [
    ...named.topics.map((name) => {
      const drops = named.consumed.includes(name)
      return { on: 'topic', name, ...literal, may: drops ? ([...may, 'Delete'] as const) : may } as const
    }),
    ...named.groups.map((name) => ({ on: 'group', name, ...literal, may: ['Read'] }) as const),
    ...named.transactionalIds.map((name) => ({ on: 'transactional-id', name, ...literal, may: ['Write'] }) as const),
    ...named.transactionalPrefixes.map(
      (name) => ({ on: 'transactional-id', name, isPrefix: true, may: ['Write'] }) as const,
    ),
  ]
}

/**
 * Of one producer that writes events itself (`client/kafka`).
 * @param name the producer's, as its client is opened with
 * @param writes event topics
 * @param creates whether it is to make the topic of sequences, which all producers share
 */
export function producerRights(name: string, writes: readonly string[], creates: boolean): readonly KafkaRight[] {
  const isPrefix = false
  return [
    ...writes.map((topic) => ({ on: 'topic' as const, name: topic, isPrefix, may: ['Write'] as const })),
    {
      ...{ on: 'topic', name: producerNames.sequencesTopic, isPrefix },
      may: creates ? ['Read', 'Write', 'Create'] : ['Read', 'Write'],
    },
    { on: 'transactional-id', name: producerNames.transactionalId(name), isPrefix, may: ['Write'] },
  ]
}

/** Read or written: events, what applications have of their own, dead letters, schemas. */
function topicsOf(applications: readonly Topology[]): string[] {
  const names = new Set<string>([...topics.map(({ name }) => name), registryNames.topic])
  for (const topology of applications) for (const name of topicNames(topology)) names.add(name)
  for (const { reads } of projections) names.add(deadLetterTopic(reads.name))
  return [...names].sort()
}

const consumedTopics = (topology: Topology): string[] =>
  topology.repartitions.map(({ name }) => repartitionTopic(topology.name, name))

/** Services, effect worker and agents, to be looked at: nothing of them can be run. */
function allTopologies(): Topology[] {
  const noCodec = { prepare: () => Promise.resolve() } as unknown as Required<Serde<never>>
  const codec = (): never => noCodec as never
  const keyRing = { load: () => Promise.resolve(), get: () => undefined }
  const compiled = services().map((service) => compileService(service, { event: codec, keyRing }))
  const effects = effectsTopology({ providers: [], topics: callTopics(), codec, clock: machineClock })
  const model = { complete: () => Promise.reject(new Error('not to be asked')) }
  const settings = defaultDemoChatSettings
  const clocks = { clock: machineClock, time: machineClock }
  return [...compiled, effects, demoChatTopology({ codec: codec(), keyRing, model, ...clocks, settings })]
}
