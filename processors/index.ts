/** The lifecycle services. This list is the whole registration: what is deployed, tested and drawn follows from it. */

import type { BillingSettings } from './billing/index.ts'
import { billingService } from './billing/index.ts'
import type { CommunicationSettings } from './communication/index.ts'
import { communicationService } from './communication/index.ts'
import type { Service } from './define.ts'
import type { DemoSettings } from './demo/index.ts'
import { demoService } from './demo/index.ts'
import type { DocumentsSettings } from './documents/index.ts'
import { documentsService } from './documents/index.ts'
import type { SagaSettings } from './lifecycle-saga/index.ts'
import { lifecycleSaga } from './lifecycle-saga/index.ts'
import type { ResearchSettings } from './research/index.ts'
import { researchService } from './research/index.ts'
import type { ReviewQueueSettings } from './review-queue/index.ts'
import { reviewQueueService } from './review-queue/index.ts'

export * from './define.ts'
export { compileService } from './compile.ts'
export type { Codecs } from './compile.ts'
export { researchDefaults, researchService } from './research/index.ts'
export { demoDefaults, demoService } from './demo/index.ts'
export { documentsDefaults, documentsService } from './documents/index.ts'
export { lifecycleSaga, sagaDefaults } from './lifecycle-saga/index.ts'
export { reviewQueueDefaults, reviewQueueService } from './review-queue/index.ts'
export { billingDefaults, billingService } from './billing/index.ts'
export { communicationDefaults, communicationService } from './communication/index.ts'
export type {
  BillingSettings,
  CommunicationSettings,
  DemoSettings,
  DocumentsSettings,
  ResearchSettings,
  ReviewQueueSettings,
  SagaSettings,
}

/** By service; what is left out is the default. */
export interface ServiceSettings {
  readonly research?: ResearchSettings
  readonly demo?: DemoSettings
  readonly documents?: DocumentsSettings
  readonly lifecycleSaga?: SagaSettings
  readonly reviewQueue?: ReviewQueueSettings
  readonly communication?: CommunicationSettings
  readonly billing?: BillingSettings
}

export function services(settings: ServiceSettings = {}): readonly Service[] {
  return Object.freeze([
    researchService(settings.research),
    demoService(settings.demo),
    documentsService(settings.documents),
    lifecycleSaga(settings.lifecycleSaga),
    reviewQueueService(settings.reviewQueue),
    communicationService(settings.communication),
    billingService(settings.billing),
  ])
}
