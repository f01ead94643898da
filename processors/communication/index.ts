/**
 * Messages to people. One is held back for the first of these reasons: the address bounced; the person complained or
 * unsubscribed; no consent; too many in a week; the same key within a day. Transactional mail needs no consent, cannot be
 * unsubscribed from and is not counted. A message ends as sent, suppressed or failed.
 *
 * Mail has no idempotency key: a crash between sending and committing may send it twice.
 */

import type { Erased, PayloadOf } from '../../schemas/index.ts'
import { communicationEvents } from '../../schemas/index.ts'
import type { Step, StepContext } from '../define.ts'
import { defineProcessor, defineService, emit } from '../define.ts'
import { outreachAuth } from '../outreach-auth/index.ts'
import { outreachBilling } from '../outreach-billing/index.ts'
import { outreachDemo } from '../outreach-demo/index.ts'
import { outreachDocument } from '../outreach-document/index.ts'
import { fieldsOf } from '../fields.ts'
import { nextTry } from '../retry.ts'
import { heldBack, isRecent, told, wished } from './holding-back.ts'
import type { CommunicationSettings } from './settings.ts'
import { communicationDefaults } from './settings.ts'
import type { Message, State } from './state.ts'
import { communicationState, noContact } from './state.ts'

export { communicationDefaults } from './settings.ts'
export type { CommunicationSettings } from './settings.ts'

type Request = PayloadOf<typeof communicationEvents.events, 'message_requested'>
type Answer = PayloadOf<typeof communicationEvents.events, 'call_answered'>

export const communication = (settings: CommunicationSettings) =>
  defineProcessor({
    name: 'communication',
    reads: communicationEvents,
    writes: [communicationEvents],
    state: communicationState,
    handle(state, input, context) {
      switch (input.event_type) {
        case 'message_requested':
          return requested(settings, state ?? noContact, input, context)
        case 'call_answered':
          return state === null ? { state } : answered(settings, state, input, context)
        case 'contact_preference_changed':
          return { state: input.channel === 'email' ? wished(state ?? noContact, input) : state }
        case 'delivery_updated':
          return { state: told(state, input.status) }
        default:
          return { state }
      }
    },
  })

function requested(
  settings: CommunicationSettings,
  before: State,
  message: Request,
  context: StepContext,
): Step<State> {
  const { contact_id, message_id, dedupe_key, purpose } = message
  const state = { ...before, messages: before.messages.filter(isRecent(settings, context.time)) }
  if (state.messages.some((known) => known.message_id === message_id)) return { state: before }
  const reason = heldBack(settings, state, message, context.time)
  const entry = { message_id, dedupe_key, at: context.time, purpose }
  if (reason !== null) {
    const suppressed = emit(communicationEvents, 'message_suppressed', { contact_id, message_id, reason })
    return { state: remember(settings, state, { ...entry, status: 'suppressed' }), emit: [suppressed] }
  }
  if ((message.channel ?? 'email') !== 'email') {
    return {
      state: remember(settings, state, { ...entry, status: 'failed' }),
      emit: [failure(contact_id, message_id, context)],
    }
  }
  const { template, data_ref = null, to = null, data = null } = message
  // An erased address or value stays out: it can only be told by the reference, or not at all.
  const request = { contact_id, template, message_id, data_ref, to: unlessErased(to), data: unlessErased(data) }
  const call = { call_id: context.id('call'), attempt: 1, request }
  return {
    state: remember(settings, state, { ...entry, status: 'sending', call }),
    emit: [callRequested(contact_id, call, context.time)],
  }
}

function answered(settings: CommunicationSettings, state: State, answer: Answer, context: StepContext): Step<State> {
  const message = state.messages.find(({ call }) => call?.call_id === answer.call_id && call.attempt === answer.attempt)
  if (message?.call == null) return { state }
  const { contact_id } = answer
  const { message_id } = message
  if (answer.class === 'ok') {
    const provider_id = providerId(answer.output)
    return {
      state: replaced(state, { ...message, status: 'sent', call: null }),
      emit: [emit(communicationEvents, 'message_sent', { contact_id, message_id, channel: 'email', provider_id })],
    }
  }
  const next = nextTry(settings.retry, answer, { time: context.time, chance: context.id('retry') })
  if (next === null) {
    return {
      state: replaced(state, { ...message, status: 'failed', call: null }),
      emit: [failure(contact_id, message_id, context)],
    }
  }
  const call = { ...message.call, attempt: next.attempt }
  return { state: replaced(state, { ...message, call }), emit: [callRequested(contact_id, call, next.notBefore)] }
}

function remember(settings: CommunicationSettings, state: State, message: Message): State {
  const messages = [...state.messages, message]
  const forgotten = messages.length > settings.remembered ? messages.findIndex(({ call }) => call == null) : -1
  return { ...state, messages: forgotten === -1 ? messages : messages.toSpliced(forgotten, 1) }
}

function replaced(state: State, message: Message): State {
  return {
    ...state,
    messages: state.messages.map((known) => (known.message_id === message.message_id ? message : known)),
  }
}

function callRequested(contact_id: string, call: NonNullable<Message['call']>, not_before: number) {
  return emit(communicationEvents, 'call_requested', {
    contact_id,
    ...call,
    provider: 'sendgrid',
    operation: 'send',
    not_before,
  })
}

function failure(contact_id: string, message_id: string, context: StepContext) {
  return emit(communicationEvents, 'delivery_updated', {
    contact_id,
    message_id,
    provider_event_id: context.id(`failed:${message_id}`),
    status: 'failed',
    at: context.time,
  })
}

const unlessErased = <T>(value: T | Erased): T | null => (typeof value === 'symbol' ? null : value)

function providerId(output: unknown): string {
  const { provider_id } = fieldsOf(output)
  return typeof provider_id === 'string' ? provider_id : ''
}

export const communicationService = (settings: CommunicationSettings = communicationDefaults) =>
  defineService('communication', [
    communication(settings),
    outreachAuth(),
    outreachDemo(),
    outreachDocument(),
    outreachBilling(),
  ])
