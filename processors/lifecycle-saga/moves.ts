/** What the saga's rules are given and give. */

import { clientEvents } from '../../schemas/index.ts'
import type { Emission, Step } from '../define.ts'
import { emit } from '../define.ts'
import type { SagaState, factKinds } from './state.ts'
import type { SagaStep, Stage } from './steps.ts'

export interface Fact {
  readonly step: SagaStep
  readonly kind: (typeof factKinds)[number]
  readonly at: number
  /** What the step left behind: the session, the demo, the document, the subscription. */
  readonly ref: string
  readonly reason: string
  readonly event_id: string
}

export type Move = Step<SagaState>

export const sagaTimers = {
  research: 'research_deadline',
  step: 'step_deadline',
  undo: 'compensation_deadline',
} as const
export function toStage(
  state: SagaState,
  to: Stage,
  reason: string,
): { readonly state: SagaState; readonly emit: readonly Emission[] } {
  if (state.stage === to) return { state, emit: [] }
  return {
    state: { ...state, stage: to },
    emit: [emit(clientEvents, 'stage_changed', { from: state.stage, to, reason })],
  }
}
