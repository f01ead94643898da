/**
 * Lets a reader see their own write: a command answers with a position; a read waits until what that position caused is
 * in the rows it reads.
 *
 * V1  The applications that read the position's topic and write the projection's have committed past it.
 * V2  The sink has passed what stood in the projection's topic when V1 held.
 */

import type { Log } from '../connectors/kafka/index.ts'
import type { OutboxRelay } from '../api/index.ts'
import type { SinkRunner, AnyProjection } from '../sinks/index.ts'
import type { Service } from '../processors/index.ts'
import type { Clock } from '../topology/index.ts'

export interface VisibilityOptions {
  readonly log: Log
  readonly relay: OutboxRelay
  readonly sinks: SinkRunner
  readonly projections: readonly AnyProjection[]
  readonly services: readonly Service[]
  readonly clock: Clock
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** Asked again after this time, then after twice as long, up to the second. */
const askAgainMs = 5
const askAgainAtMostMs = 50

/** Offsets that groups have committed; whoever asks for the same at the same moment shares the question. */
function committedReader(log: Log) {
  const asking = new Map<string, ReturnType<Log['committedOffsets']>>()
  return (group: string, { topic, partition }: Place): ReturnType<Log['committedOffsets']> => {
    const name = `${group} ${topic}-${partition}`
    const asked = asking.get(name)
    if (asked !== undefined) return asked
    const answer = log.committedOffsets(group, [{ topic, partition }]).finally(() => asking.delete(name))
    asking.set(name, answer)
    return answer
  }
}
type CommittedReader = ReturnType<typeof committedReader>

/** @returns a function that is true once the position shows in the projection, false when the time is up */
export function visibility(
  options: VisibilityOptions,
): (position: string, projection: string, timeoutMs: number) => Promise<boolean> {
  const { clock, relay, log, sinks } = options
  const committed = committedReader(log)
  return async (position, name, timeoutMs) => {
    const deadline = clock.now() + timeoutMs
    const left = (): number => Math.max(0, deadline - clock.now())
    const projection = options.projections.find((candidate) => candidate.name === name)
    const place = position.startsWith('outbox:')
      ? await relay.resolve(position.slice('outbox:'.length), left())
      : parse(position)
    if (projection === undefined || place === null) return false
    for (const group of deciders(options.services, place.topic, projection.reads.name)) {
      if (!(await committedPast(committed, clock, group, place, deadline))) return false
    }
    const topic = projection.reads.name
    const [metadata] = await log.metadata([topic])
    const partitions = Array.from({ length: metadata?.partitions ?? 0 }, (_, partition) => ({ topic, partition }))
    const ends = await log.listOffsets(partitions, 'stable')
    const seen = await Promise.all(
      ends.map((end, partition) =>
        end === 0n ? Promise.resolve(true) : sinks.waitFor(name, topic, partition, end - 1n, left()),
      ),
    )
    return seen.every(Boolean)
  }
}

/** Services that decide what the projection shows after an event of this topic. */
function deciders(services: readonly Service[], read: string, written: string): string[] {
  return services
    .filter(
      ({ processors }) =>
        processors.some((processor) => processor.reads.name === read) &&
        processors.some((processor) => processor.writes.some((topic) => topic.name === written)),
    )
    .map((service) => service.name)
}

async function committedPast(
  committed: CommittedReader,
  clock: Clock,
  group: string,
  place: Place,
  deadline: number,
): Promise<boolean> {
  for (let waitMs = askAgainMs; ; waitMs = Math.min(2 * waitMs, askAgainAtMostMs)) {
    const [at] = await committed(group, place)
    if (at !== null && at !== undefined && at.offset > place.offset) return true
    if (clock.now() >= deadline) return false
    await new Promise<void>((resolve) => void clock.after(waitMs, resolve))
  }
}

function parse(position: string): Place | null {
  const match = /^(.+)-(\d+)@(\d{1,19})$/.exec(position)
  if (match === null) return null
  return { topic: match[1] as string, partition: Number(match[2]), offset: BigInt(match[3] as string) }
}
