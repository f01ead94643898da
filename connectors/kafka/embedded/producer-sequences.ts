/**
 * Which batch of which producer comes next in one partition (Kafka's `ProducerStateManager`):
 *
 *   - a batch continues its producer's sequence, or opens a new epoch at 0; a gap is OUT_OF_ORDER_SEQUENCE_NUMBER
 *   - one that is not known may begin anywhere, but in a transaction at 0 (Kafka 4)
 *   - one of the last five batches sent again is answered with its old offset
 *   - an epoch older than one seen is INVALID_PRODUCER_EPOCH
 *   - markers and committed offsets, which the log writes itself, have no sequence (-1)
 *
 * Entries are immutable, so that a write that failed is undone by putting the former entry back.
 */

import {
  baseOffsetOf,
  baseSequenceOf,
  epochOf,
  isTransactional,
  lastOffsetDeltaOf,
  producerIdOf,
} from '../batch-format.ts'
import { LogError } from '../port.ts'
import { nextSequence } from '../sequence.ts'

const REMEMBERED_BATCHES = 5
const NO_SEQUENCE = -1
const NO_PRODUCER = -1n

interface SentBatch {
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: bigint
}

interface ProducerEntry {
  /** The batch that brought it here: recovery needs no other. */
  readonly at: bigint
  readonly epoch: number
  readonly lastSequence: number
  readonly sent: readonly SentBatch[]
}

export class ProducerSequences {
  readonly #producers = new Map<bigint, ProducerEntry>()

  /** -1 when no producer wrote. */
  get highestProducerId(): bigint {
    let highest = NO_PRODUCER
    for (const producerId of this.#producers.keys()) if (producerId > highest) highest = producerId
    return highest
  }

  /** The highest epoch that a producer wrote with; -1 when it did not. */
  epochOf(producerId: bigint): number {
    return this.#producers.get(producerId)?.epoch ?? -1
  }

  /** Base offsets of the batches that recovery needs, of each producer its last. */
  lastBatches(): ReadonlySet<bigint> {
    return new Set([...this.#producers.values()].map(({ at }) => at))
  }

  /** The sequence that a producer's next batch must carry. */
  next(producerId: bigint, epoch: number): number {
    const entry = this.#producers.get(producerId)
    return entry === undefined || entry.epoch !== epoch ? 0 : nextSequence(entry.lastSequence, 1)
  }

  /**
   * The offset of an earlier send of the same batch, or null when this one is new.
   * @throws LogError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER
   */
  check(batch: Buffer): bigint | null {
    const producerId = producerIdOf(batch, 0)
    const entry = this.#producers.get(producerId)
    if (producerId === NO_PRODUCER) return null
    if (entry === undefined) {
      if (isTransactional(batch, 0) && baseSequenceOf(batch, 0) > 0)
        throw outOfOrder(producerId, baseSequenceOf(batch, 0), 0)
      return null
    }
    const epoch = epochOf(batch, 0)
    if (epoch < entry.epoch) {
      throw new LogError(
        'INVALID_PRODUCER_EPOCH',
        `producer ${producerId} wrote with epoch ${epoch} after ${entry.epoch}`,
        'stop',
      )
    }
    const baseSequence = baseSequenceOf(batch, 0)
    if (baseSequence === NO_SEQUENCE) return null
    const lastSequence = nextSequence(baseSequence, lastOffsetDeltaOf(batch, 0))
    if (epoch === entry.epoch) {
      for (const sent of entry.sent) {
        if (sent.baseSequence === baseSequence && sent.lastSequence === lastSequence) return sent.baseOffset
      }
    }
    const expected = this.next(producerId, epoch)
    if (baseSequence !== expected) throw outOfOrder(producerId, baseSequence, expected)
    return null
  }

  /** Takes note of a batch that `check` passed, at `bytes[at]` with its offset stamped. Returns how to undo that. */
  record(bytes: Buffer, at: number): () => void {
    const producerId = producerIdOf(bytes, at)
    if (producerId === NO_PRODUCER) return nothing
    const former = this.#producers.get(producerId)
    this.#producers.set(
      producerId,
      baseSequenceOf(bytes, at) === NO_SEQUENCE ? afterMarker(former, bytes, at) : afterBatch(former, bytes, at),
    )
    return () => {
      if (former === undefined) this.#producers.delete(producerId)
      else this.#producers.set(producerId, former)
    }
  }
}

function afterBatch(former: ProducerEntry | undefined, bytes: Buffer, at: number): ProducerEntry {
  const epoch = epochOf(bytes, at)
  const baseSequence = baseSequenceOf(bytes, at)
  const lastSequence = nextSequence(baseSequence, lastOffsetDeltaOf(bytes, at))
  const sent = former?.epoch === epoch ? former.sent.slice(1 - REMEMBERED_BATCHES) : []
  return {
    at: baseOffsetOf(bytes, at),
    epoch,
    lastSequence,
    sent: [...sent, { baseSequence, lastSequence, baseOffset: baseOffsetOf(bytes, at) }],
  }
}

/** What the log itself writes for a producer has no sequence; with a newer epoch it fences the older one. */
function afterMarker(former: ProducerEntry | undefined, bytes: Buffer, at: number): ProducerEntry {
  const epoch = epochOf(bytes, at)
  return former?.epoch === epoch ? former : { at: baseOffsetOf(bytes, at), epoch, lastSequence: NO_SEQUENCE, sent: [] }
}

const outOfOrder = (producerId: bigint, baseSequence: number, expected: number): LogError => {
  const what = `producer ${producerId} sent sequence ${baseSequence}, expected ${expected}`
  return new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', what, 'stop')
}

const nothing = (): void => {}
