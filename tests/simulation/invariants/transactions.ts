/**
 * Transactions, judged by producer id and epoch: with the epoch bumped at every end (KIP-890) that pair is one
 * transaction.
 *
 *   I3  what was answered as aborted is marked ABORT, what was answered as committed COMMIT, everywhere
 *   I4  a transaction has one outcome in all its partitions
 *   I10 in a partition the epochs of a producer only grow: nothing of an older epoch is accepted after a newer one
 */

import type { EndedTransaction } from '../network.ts'
import type { SeenBatch, SeenPartition } from '../observer.ts'
import type { Violation } from '../program.ts'

interface Outcome {
  readonly abort: boolean
  readonly where: string
}

export class Transactions {
  /** By producer id and epoch of the data. */
  readonly #outcomes = new Map<string, Outcome>()
  readonly #epochs = new Map<string, number>()
  readonly #open = new Map<string, Set<number>>()

  /** A part of a partition was deleted unseen. */
  skipped({ topic, partition }: SeenPartition): void {
    for (const writer of [...this.#open.keys()])
      if (writer.startsWith(`${topic}-${partition} `)) this.#open.delete(writer)
  }

  take(partition: SeenPartition, batches: readonly SeenBatch[]): Violation[] {
    const violations: Violation[] = []
    const where = `${partition.topic}-${partition.partition}`
    for (const batch of batches) {
      if (batch.producerId < 0n) continue
      const writer = `${where} ${batch.producerId}`
      if (batch.marker !== null) {
        for (const epoch of this.#open.get(writer) ?? [])
          violations.push(...this.#end(`${batch.producerId}/${epoch}`, batch.marker.abort, where))
        this.#open.delete(writer)
        continue
      }
      violations.push(...this.#order(writer, batch))
      if (batch.transactional) this.#open.set(writer, (this.#open.get(writer) ?? new Set()).add(batch.epoch))
    }
    return violations
  }

  /** I3: held against what the coordinator has answered. */
  check(ended: readonly EndedTransaction[]): Violation[] {
    const violations: Violation[] = []
    for (const { producerId, epoch, outcome, error, transactionalId } of ended) {
      if (error !== null) continue
      const found = this.#outcomes.get(`${producerId}/${epoch}`)
      if (found === undefined || found.abort === (outcome === 'abort')) continue
      violations.push({
        invariant: 'I3',
        what: `transaction ${producerId}/${epoch} of ${transactionalId} was answered as ${outcome} and is marked ${found.abort ? 'ABORT' : 'COMMIT'} in ${found.where}`,
      })
    }
    return violations
  }

  #end(transaction: string, abort: boolean, where: string): Violation[] {
    const before = this.#outcomes.get(transaction)
    this.#outcomes.set(transaction, before ?? { abort, where })
    if (before === undefined || before.abort === abort) return []
    return [
      {
        invariant: 'I4',
        what: `transaction ${transaction} is ${before.abort ? 'aborted' : 'committed'} in ${before.where} and ${abort ? 'aborted' : 'committed'} in ${where}`,
      },
    ]
  }

  #order(writer: string, batch: SeenBatch): Violation[] {
    const before = this.#epochs.get(writer) ?? -1
    this.#epochs.set(writer, Math.max(before, batch.epoch))
    if (batch.epoch >= before) return []
    return [
      {
        invariant: 'I10',
        what: `${writer}: a batch of epoch ${batch.epoch} at ${batch.baseOffset} after epoch ${before}`,
      },
    ]
  }
}

/** I8: nothing is left open. */
export function checkHanging(partitions: readonly SeenPartition[]): Violation[] {
  return partitions
    .filter(({ lastStableOffset, highWatermark }) => lastStableOffset !== highWatermark)
    .map(({ topic, partition, lastStableOffset, highWatermark }) => ({
      invariant: 'I8',
      what: `${topic}-${partition} has an open transaction: last stable offset ${lastStableOffset}, high watermark ${highWatermark}`,
    }))
}
