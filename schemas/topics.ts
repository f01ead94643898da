/** The 18 topics of the platform. The list is closed: a new topic is a decision about the product. */

import type { EventTopic } from './envelope.ts'
import { authEvents } from './events/auth-events.ts'
import { clientEvents } from './events/client-events.ts'
import { researchEvents } from './events/research-events.ts'
import { demoEvents } from './events/demo-events.ts'
import { documentEvents } from './events/document-events.ts'
import { billingEvents } from './events/billing-events.ts'
import { prdEvents } from './events/prd-events.ts'
import { configEvents } from './events/config-events.ts'
import { knowledgeEvents } from './events/knowledge-events.ts'
import { conversationEvents } from './events/conversation-events.ts'
import { voiceEvents } from './events/voice-events.ts'
import { monitoringEvents } from './events/monitoring-events.ts'
import { analyticsEvents } from './events/analytics-events.ts'
import { successEvents } from './events/success-events.ts'
import { supportEvents } from './events/support-events.ts'
import { crmEvents } from './events/crm-events.ts'
import { communicationEvents } from './events/communication-events.ts'
import { reviewEvents } from './events/review-events.ts'

const known = [
  authEvents,
  clientEvents,
  researchEvents,
  demoEvents,
  documentEvents,
  billingEvents,
  prdEvents,
  configEvents,
  knowledgeEvents,
  conversationEvents,
  voiceEvents,
  monitoringEvents,
  analyticsEvents,
  successEvents,
  supportEvents,
  crmEvents,
  communicationEvents,
  reviewEvents,
] as const

/** One of the 18, with the types of its events. */
export type KnownTopic = (typeof known)[number]

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of topics of different types
export type AnyEventTopic = EventTopic<any, string>

export const topics: readonly AnyEventTopic[] = Object.freeze(known)

const byName = new Map(topics.map((topic) => [topic.name, topic]))

export function topicByName(name: string): AnyEventTopic | undefined {
  return byName.get(name)
}
