/**
 * Whose a reserved key is: the session that was to write its events, as `transactionalId@producerId.epoch`. The transactional
 * id alone would not do: a process that was replaced, and lives on for a while, has the same.
 */

import type { ProducerSession } from '../../connectors/kafka/index.ts'

export interface Owner {
  readonly transactionalId: string
  /** The session as it was opened; null in what was not written in this form. */
  readonly session: { readonly producerId: bigint; readonly epoch: number } | null
}

export const ownerText = (transactionalId: string, { producerId, epoch }: ProducerSession): string =>
  `${transactionalId}@${String(producerId)}.${String(epoch)}`

const form = /^(.+)@(\d{1,19})\.(\d{1,6})$/

export function parseOwner(text: string): Owner {
  const match = form.exec(text)
  if (match === null) return { transactionalId: text, session: null }
  return { transactionalId: match[1]!, session: { producerId: BigInt(match[2]!), epoch: Number(match[3]) } }
}

/** Whether opening `later`, of the same transactional id, has ended `earlier`; false when that cannot be told. */
export function isFencedBy(earlier: Owner, later: Owner): boolean {
  const [before, after] = [earlier.session, later.session]
  return before !== null && after !== null && before.producerId === after.producerId && before.epoch < after.epoch
}
