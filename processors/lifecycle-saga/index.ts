/** The lifecycle saga: a watcher that keeps deadlines and is the only one to order compensation. */

import { defineService } from '../define.ts'
import { sagaResearch } from '../saga-research/index.ts'
import { sagaReview } from '../saga-review/index.ts'
import { sagaStart } from '../saga-start/index.ts'
import type { SagaSettings } from './settings.ts'
import { sagaDefaults } from './settings.ts'

export { sagaDefaults } from './settings.ts'
export type { SagaSettings } from './settings.ts'

export const lifecycleSaga = (settings: SagaSettings = sagaDefaults) =>
  defineService('lifecycle-saga', [sagaStart(settings), sagaResearch(settings), sagaReview(settings)])
