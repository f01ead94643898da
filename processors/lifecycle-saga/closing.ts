/**
 * The end of an organization. Nothing is waited for any more, and nothing undone step by step: every service is told that the
 * client is gone (`client_erased`), ends what still runs and drops what it holds. A mark stays of the lifecycle, so that no later
 * fact begins it again.
 */

import type { PayloadOf } from '../../schemas/index.ts'
import { clientEvents } from '../../schemas/index.ts'
import type { Emission } from '../define.ts'
import { emit } from '../define.ts'
import type { Move } from './moves.ts'
import { sagaTimers, toStage } from './moves.ts'
import type { SagaState } from './state.ts'
import { waitingForClient } from './state.ts'

const reason = 'organization_deleted'
const nothingDue = Object.fromEntries(Object.values(sagaTimers).map((timer) => [timer, null]))

export function closed(
  state: SagaState | null,
  mode: PayloadOf<typeof clientEvents.events, 'client_erased'>['mode'],
): Move {
  const known = state ?? waitingForClient
  if (known.abort_reason === reason && known.status === 'aborted') return { state }
  const mark: SagaState = {
    ...waitingForClient,
    begun_at: known.begun_at,
    stage: known.stage,
    status: 'aborted',
    abort_reason: reason,
  }
  const staged = toStage(mark, known.status === 'completed' ? 'churned' : 'lost', reason)
  const told: Emission[] = isOver(known)
    ? []
    : [emit(clientEvents, 'lifecycle_aborted', { reason, compensated: [...known.undone] }), ...staged.emit]
  const gone = emit(clientEvents, 'client_erased', { mode })
  return { state: isOver(known) ? mark : staged.state, emit: [...told, gone], timers: nothingDue }
}

/** Not begun, or ended before: nothing more is told of it. */
const isOver = ({ status }: SagaState): boolean => status === 'expected' || status === 'aborted'
