/** Which topics there are: `catalogue.json` in the log's directory. A topic exists once it stands there. */

import { LogError } from '../port.ts'
import type { TopicMetadata, TopicSpec } from '../port.ts'
import { readJson, writeJson } from './durable-json.ts'
import type { LogFiles } from './log-files.ts'
import type { Random } from '../clock.ts'
import { checkConfig } from './topic-config.ts'

const FILE = 'catalogue.json'
const FORMAT = 1
const MAX_PARTITIONS = 10_000
const LEGAL_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/

export interface Catalogue {
  readonly clusterId: string
  readonly topics: readonly TopicMetadata[]
}

export const TRANSACTION_STATE_TOPIC = '__transaction_state'
export const CONSUMER_OFFSETS_TOPIC = '__consumer_offsets'
/** One partition each: one process writes them, and one fsync then serves all commits that wait. */
const INTERNAL_TOPICS: readonly TopicSpec[] = [TRANSACTION_STATE_TOPIC, CONSUMER_OFFSETS_TOPIC].map((name) => ({
  name,
  partitions: 1,
  config: { 'cleanup.policy': 'compact', 'segment.bytes': String(4 * 1024 * 1024) },
}))

export const isInternal = (topic: string): boolean => INTERNAL_TOPICS.some(({ name }) => name === topic)

/** 16 random bytes as Kafka prints its Uuid: 22 characters. */
const newId = (random: Random): string => random.bytes(16).toString('base64url')

export const newCatalogue = (random: Random): Catalogue => ({
  clusterId: newId(random),
  topics: INTERNAL_TOPICS.map((spec) => newTopic(spec, random)),
})

export const newTopic = (spec: TopicSpec, random: Random): TopicMetadata => ({
  name: spec.name,
  topicId: newId(random),
  partitions: spec.partitions,
  config: { ...spec.config },
})

export async function readCatalogue(files: LogFiles, directory: string): Promise<Catalogue | null> {
  const read = (await readJson(files, directory, FILE)) as (Catalogue & { format: number }) | null
  if (read === null) return null
  if (read.format !== FORMAT) {
    throw new LogError(
      'STORAGE_ERROR',
      `${directory}/${FILE} has format ${read.format}; this version reads ${FORMAT}`,
      'stop',
    )
  }
  return { clusterId: read.clusterId, topics: read.topics }
}

export const writeCatalogue = (files: LogFiles, directory: string, catalogue: Catalogue): Promise<void> =>
  writeJson(files, directory, FILE, { format: FORMAT, ...catalogue })

/** @throws LogError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG */
export function checkSpecs(specs: readonly TopicSpec[], exists: (name: string) => boolean): void {
  const names = new Set<string>()
  for (const { name, partitions, config } of specs) {
    if (!LEGAL_NAME.test(name)) throw invalid(`'${name}' is not a topic name: 1 to 249 of a-z A-Z 0-9 . _ -`)
    if (exists(name)) throw new LogError('TOPIC_ALREADY_EXISTS', `topic ${name} exists`, 'stop')
    if (names.has(name)) throw invalid(`topic ${name} is asked for twice`)
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
      const why = `topic ${name}: ${partitions} partitions; allowed are 1 to ${MAX_PARTITIONS}`
      throw new LogError('INVALID_PARTITIONS', why, 'stop')
    }
    checkConfig(name, config)
    names.add(name)
  }
}

/** A size from a topic's configuration, which `checkSpecs` passed. */
export const sizeConfig = (
  topic: TopicMetadata,
  key: 'segment.bytes' | 'max.message.bytes',
  otherwise: number,
): number => (topic.config[key] === undefined ? otherwise : Number(topic.config[key]))

const invalid = (message: string): LogError => new LogError('INVALID_TOPIC_EXCEPTION', message, 'stop')
