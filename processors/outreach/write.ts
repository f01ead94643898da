/**
 * A message to the owner of an organization: once per key, as soon as the owner's address is known. Keys name what happened
 * (an event, an invoice's stage), so an event that comes again, in whatever order, writes nothing a second time.
 */

import type { Json } from '../../schemas/index.ts'
import { communicationEvents, decimalsOf } from '../../schemas/index.ts'
import type { Emission, Step, StepContext } from '../define.ts'
import { emit } from '../define.ts'
import type { OutreachState, Waiting } from './state.ts'

export interface Letter {
  readonly key: string
  readonly template: string
  /** lifecycle: needs the consent that signing up gives, and may be unsubscribed from. */
  readonly purpose: 'transactional' | 'lifecycle'
  readonly data: { readonly [name: string]: Json }
}

const writtenRemembered = 300
const waitingKept = 50

export const isWritten = (state: OutreachState, key: string): boolean =>
  state.written.some((known) => known.key === key)

export function write(state: OutreachState, letter: Letter, { time: at }: StepContext): Step<OutreachState> {
  if (state.closed || isWritten(state, letter.key)) return { state }
  const written = byTime([...state.written, { key: letter.key, at }]).slice(-writtenRemembered)
  return delivered({ ...state, written, waiting: byTime([...state.waiting, { ...letter, at }]).slice(0, waitingKept) })
}

/** Sends what waits, where it can go now. */
export function delivered(state: OutreachState): Step<OutreachState> {
  const owner = ownerOf(state)
  if (owner === null || state.waiting.length === 0) return { state }
  return { state: { ...state, waiting: [] }, emit: state.waiting.map((letter) => requested(owner, letter)) }
}

interface Owner {
  readonly user_id: string
  readonly email: string
  readonly first_name: string
}

/** Null while nobody is known, or their address is not, or not any more. */
export function ownerOf({ owner_user_id, people }: OutreachState): Owner | null {
  const person = people.find(({ user_id }) => user_id === owner_user_id && user_id !== '')
  if (person === undefined || typeof person.email !== 'string') return null
  const { user_id, email, first_name } = person
  return { user_id, email, first_name: typeof first_name === 'string' && first_name !== '' ? first_name : 'there' }
}

/** Letters that ask for money say where it can be paid: read when they are sent, as an address that anybody can pay at. */
const askForMoney: ReadonlySet<string> = new Set([
  ...['invoice', 'payment_method_needed', 'payment_reminder', 'payment_final_notice'],
  ...['service_restricted', 'service_suspended'],
])

function requested({ user_id, email, first_name }: Owner, { key, template, purpose, data }: Waiting): Emission {
  const isNamed = typeof data === 'object' && data !== null && !Array.isArray(data)
  const told = (isNamed ? data : {}) as Letter['data']
  return emit(communicationEvents, 'message_requested', {
    contact_id: user_id,
    message_id: key,
    purpose,
    channel: 'email',
    template,
    ...(askForMoney.has(template) ? { data_ref: `stripe.invoices:${String(told['invoice'])}` } : {}),
    dedupe_key: key,
    to: email,
    data: { first_name, ...told },
  })
}

const byTime = <T extends { readonly at: number; readonly key: string }>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))

/** As 2026-01-31. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** Minor units as people read them, such as USD 1,680.00. */
export function moneyOf(amount: number, currency: string): string {
  const code = currency.toUpperCase()
  if (!/^[A-Z]{3}$/.test(code)) return `${String(amount)} ${currency}`
  const digits = decimalsOf(code)
  const fraction = { minimumFractionDigits: digits, maximumFractionDigits: digits }
  const format = new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency: code,
    currencyDisplay: 'code',
    ...fraction,
  })
  return format.format(amount / 10 ** digits).replaceAll('\u00a0', ' ')
}
