/**
 * Messages to people. Transactional mail is sent once per dedupe key in a day; what needs consent is not sent yet,
 * because no consent is known. A message ends as sent or failed.
 *
 * Mail has no idempotency key: a crash between sending and committing may send it twice.
 */

import type { Erased } from '../../schemas/index.ts'
import {
  array,
  communicationEvents,
  instant,
  int,
  oneOf,
  optional,
  personalJson,
  record,
  string,
} from '../../schemas/index.ts'
import type { PayloadOf } from '../../schemas/index.ts'
import type { StateOf, Step, StepContext } from '../define.ts'
import { defineProcessor, defineService, defineState, emit } from '../define.ts'
import type { RetrySettings } from '../retry.ts'
import { retryTime } from '../retry.ts'

export interface CommunicationSettings {
  /** The same dedupe key within this time is one message, in ms. */
  readonly dedupeMs: number
  /** Messages remembered per contact, at most. */
  readonly remembered: number
  readonly retry: RetrySettings
}

export const communicationDefaults: CommunicationSettings = Object.freeze({
  dedupeMs: 24 * 60 * 60 * 1000,
  remembered: 200,
  retry: { attempts: 5, baseMs: 2_000, capMs: 60_000 },
})

const communicationState = defineState({
  store: 'contacts',
  version: 1,
  fields: {
    /** Messages of the last day, oldest first. A failed one may be asked for again under its key. */
    messages: array(
      record('Message', {
        message_id: string(),
        dedupe_key: string(),
        at: instant(),
        status: oneOf('sending', 'sent', 'failed', 'suppressed'),
        /** While sending: the call in flight, and what it was asked. */
        call: optional(record('Call', { call_id: string(), attempt: int(), request: personalJson() })),
      }),
    ),
  },
  example: {
    messages: [
      {
        message_id: 'm1',
        dedupe_key: 'verify:c1',
        at: 1_767_225_600_000,
        status: 'sending',
        call: { call_id: 'c1', attempt: 1, request: { template: 'verify_email', message_id: 'm1' } },
      },
    ],
  },
})

type State = StateOf<typeof communicationState>
type Message = State['messages'][number]
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
          return requested(settings, state ?? { messages: [] }, input, context)
        case 'call_answered':
          return state === null ? { state } : answered(settings, state, input, context)
        default:
          return { state }
      }
    },
  })

function requested(settings: CommunicationSettings, state: State, message: Request, context: StepContext): Step<State> {
  const { contact_id, message_id, dedupe_key } = message
  const recent = state.messages.filter((known) => context.time - known.at < settings.dedupeMs)
  if (recent.some((known) => known.message_id === message_id)) return { state }
  const doubled = recent.some((known) => known.dedupe_key === dedupe_key && holdsKey(known))
  const reason = message.purpose === 'transactional' ? (doubled ? 'duplicate' : null) : 'no_consent'
  const entry = { message_id, dedupe_key, at: context.time }
  if (reason !== null) {
    const suppressed = emit(communicationEvents, 'message_suppressed', { contact_id, message_id, reason })
    return { state: remember(settings, recent, { ...entry, status: 'suppressed' }), emit: [suppressed] }
  }
  if ((message.channel ?? 'email') !== 'email') {
    return {
      state: remember(settings, recent, { ...entry, status: 'failed' }),
      emit: [failure(contact_id, message_id, context)],
    }
  }
  const { template, data_ref = null, to = null, data = null } = message
  // An erased address or value stays out: it can only be told by the reference, or not at all.
  const request = { contact_id, template, message_id, data_ref, to: unlessErased(to), data: unlessErased(data) }
  const call = { call_id: context.id('call'), attempt: 1, request }
  return {
    state: remember(settings, recent, { ...entry, status: 'sending', call }),
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
  if (answer.class !== 'retry' || answer.attempt >= settings.retry.attempts) {
    return {
      state: replaced(state, { ...message, status: 'failed', call: null }),
      emit: [failure(contact_id, message_id, context)],
    }
  }
  const notBefore = retryTime(settings.retry, {
    time: context.time,
    attempt: answer.attempt,
    retryAt: answer.retry_at ?? null,
    chance: context.id('retry'),
  })
  const call = { ...message.call, attempt: answer.attempt + 1 }
  return { state: replaced(state, { ...message, call }), emit: [callRequested(contact_id, call, notBefore)] }
}

const holdsKey = (message: Message): boolean => message.status === 'sending' || message.status === 'sent'

function remember(settings: CommunicationSettings, recent: readonly Message[], message: Message): State {
  const messages = [...recent, message]
  const forgotten = messages.length > settings.remembered ? messages.findIndex(({ call }) => call == null) : -1
  return { messages: forgotten === -1 ? messages : messages.toSpliced(forgotten, 1) }
}

function replaced(state: State, message: Message): State {
  return { messages: state.messages.map((known) => (known.message_id === message.message_id ? message : known)) }
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
  const told = typeof output === 'object' && output !== null ? (output as { provider_id?: unknown }).provider_id : ''
  return typeof told === 'string' ? told : ''
}

export const communicationService = (settings: CommunicationSettings = communicationDefaults) =>
  defineService('communication', [communication(settings)])
