/** The lifecycle saga: a watcher that keeps deadlines and is the only one to order compensation. */

import { defineService } from '../define.ts'
import { sagaBilling } from '../saga-billing/index.ts'
import { sagaDemo } from '../saga-demo/index.ts'
import { sagaDocument } from '../saga-document/index.ts'
import { sagaResearch } from '../saga-research/index.ts'
import { sagaReview } from '../saga-review/index.ts'
import { sagaStart } from '../saga-start/index.ts'
import type { SagaSettings } from './settings.ts'
import { sagaDefaults } from './settings.ts'

export { sagaDefaults } from './settings.ts'
export type { SagaSettings } from './settings.ts'

export const lifecycleSaga = (settings: SagaSettings = sagaDefaults) =>
  defineService('lifecycle-saga', [
    sagaStart(settings),
    sagaResearch(settings),
    sagaDemo(settings),
    sagaDocument(settings),
    sagaBilling(settings),
    sagaReview(settings),
  ])
