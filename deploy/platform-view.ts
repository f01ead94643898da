/** The running platform as an operator's pages see it: the wiring of all services, and what this process knows of each. */

import type { PlatformView, TopologyView } from '../api/index.ts'
import type { Log, TopicMetadata, TopicPartition } from '../connectors/kafka/index.ts'
import { projections } from '../sinks/index.ts'
import type { ApplicationStatus, SubTopology, Topology } from '../topology/index.ts'
import { changelogTopic, parentsOf, storesOf, topicName, topicNames } from '../topology/index.ts'
import type { Running } from './running.ts'
import { allTopologies } from './streams/hosted-topologies.ts'

type ApplicationView = TopologyView['applications'][number]
type PartView = ApplicationView['parts'][number]

/** How long a transaction under way may keep the lag of one application from being said, in ms. */
const committedWithinMs = 500

export function platformView(running: Running): PlatformView {
  const { streams, foundation, sinks, providers } = running
  const { log } = foundation
  const all = allTopologies(foundation, providers.list)
  return {
    async topology() {
      const topics = new Map((await log.metadata()).map((topic) => [topic.name, topic]))
      const statuses = await Promise.all(streams.applications.map((application) => application.status()))
      const applications = await Promise.all(
        all.map((topology) => applicationOf(log, topology, topics, statuses.find(isOf(topology)))),
      )
      return { applications, projections: projectionsOf(sinks.status()), topics: await kept(log, all, topics) }
    },
    async blocked() {
      const lists = await Promise.all(
        streams.applications.map(async (application) =>
          (await application.blocked()).map(({ sinceMs, ...blocked }) => ({
            ...blocked,
            application: application.name,
            since: new Date(sinceMs).toISOString(),
          })),
        ),
      )
      const topics = new Map((await log.metadata()).map((topic) => [topic.name, topic]))
      const statuses = await Promise.all(streams.applications.map((application) => application.status()))
      return {
        blocked: lists.flat().sort((a, b) => (a.since < b.since ? -1 : 1)),
        tasks: statuses.reduce((sum, { tasks }) => sum + tasks, 0),
        tasks_in_all: all.reduce((sum, topology) => sum + tasksOf(topology, topics), 0),
      }
    },
    async redrive(name, key, skipFirst) {
      const application = streams.applications.find((candidate) => candidate.name === name)
      if (application === undefined || !(await application.blocked()).some((blocked) => blocked.key === key))
        return null
      return application.redrive(Buffer.from(key, 'utf8'), { skipFirst })
    },
  }
}

const isOf =
  ({ name }: Topology) =>
  ({ application }: ApplicationStatus): boolean =>
    application === name

async function applicationOf(
  log: Log,
  topology: Topology,
  topics: ReadonlyMap<string, TopicMetadata>,
  status: ApplicationStatus | undefined,
): Promise<ApplicationView> {
  const sources = topology.subTopologies.flatMap((part) => part.sources)
  const read = [...new Set(sources.map(({ topic }) => topicName(topology, topic)))]
  return {
    name: topology.name,
    state: status?.state ?? 'elsewhere',
    tasks: status?.tasks ?? 0,
    tasks_in_all: tasksOf(topology, topics),
    processed: status?.processed ?? 0,
    blocked_keys: status?.blockedKeys ?? 0,
    dead_letters: status?.deadLetters ?? 0,
    calls_in_flight: status?.callsInFlight ?? 0,
    reads: await Promise.all(
      read.map(async (topic) => ({ topic, lag: await lagOf(log, topology.name, topics.get(topic)) })),
    ),
    parts: topology.subTopologies.map((part) => partOf(topology, part)),
  }
}

/** A part has a task for each partition of what it reads. */
const tasksOf = (topology: Topology, topics: ReadonlyMap<string, TopicMetadata>): number =>
  topology.subTopologies.reduce((sum, { sources }) => {
    const partitions = sources.map(({ topic }) => topics.get(topicName(topology, topic))?.partitions ?? 0)
    return sum + Math.max(0, ...partitions)
  }, 0)

function partOf(topology: Topology, part: SubTopology): PartView {
  return {
    name: part.name,
    nodes: part.nodes.map((node) => ({
      name: node.name,
      kind: node.kind,
      parents: [...parentsOf(node)],
      topics: topicsOf(topology, node),
      stores: [...storesOf(node)],
    })),
    stores: part.stores.map(({ name, kind, logged }) => ({
      name,
      kind,
      changelog: logged ? changelogTopic(topology.name, name) : null,
    })),
  }
}

function topicsOf(topology: Topology, node: SubTopology['nodes'][number]): string[] {
  if (node.kind === 'source') return [topicName(topology, node.topic)]
  return node.kind === 'sink' ? node.topics.map((topic) => topicName(topology, topic)) : []
}

const partitionsOf = ({ name, partitions }: TopicMetadata): TopicPartition[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))

const distance = (from: readonly bigint[], to: readonly bigint[]): number =>
  Number(to.reduce((sum, end, index) => sum + (end > (from[index] ?? 0n) ? end - (from[index] ?? 0n) : 0n), 0n))

/** Null when the topic is not there, or a transaction under way keeps it from being said. */
async function lagOf(log: Log, group: string, topic: TopicMetadata | undefined): Promise<number | null> {
  if (topic === undefined) return null
  const places = partitionsOf(topic)
  try {
    const [committed, starts, ends] = await Promise.all([
      log.committedOffsets(group, places, committedWithinMs),
      log.listOffsets(places, 'earliest'),
      log.listOffsets(places, 'stable'),
    ])
    return distance(
      starts.map((start, index) => committed[index]?.offset ?? start),
      ends,
    )
  } catch {
    return null
  }
}

function projectionsOf(statuses: ReturnType<Running['sinks']['status']>): TopologyView['projections'] {
  return statuses.map(({ name, topic, state, trouble, partitions, deadLetters }) => ({
    name,
    topic,
    tables: projections.find((projection) => projection.name === name)?.tables.map((table) => table.name) ?? [],
    state,
    trouble,
    lag: partitions.length === 0 ? null : partitions.reduce((sum, { lag }) => sum + Number(lag ?? 0n), 0),
    dead_letters: deadLetters,
  }))
}

/** Topics that the applications and projections read and write, and how much stands in them. */
async function kept(
  log: Log,
  all: readonly Topology[],
  topics: ReadonlyMap<string, TopicMetadata>,
): Promise<TopologyView['topics']> {
  const used = new Set([
    ...all.flatMap((topology) => [...topicNames(topology)]),
    ...projections.map(({ reads }) => reads.name),
  ])
  const known = [...topics.values()].filter(({ name }) => used.has(name))
  return Promise.all(
    known.map(async (topic) => {
      const places = partitionsOf(topic)
      const [starts, ends] = await Promise.all([log.listOffsets(places, 'earliest'), log.listOffsets(places, 'stable')])
      return { name: topic.name, partitions: topic.partitions, records: distance(starts, ends) }
    }),
  )
}
