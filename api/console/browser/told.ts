/**
 * Fields of events as people read them. Pure: a name and a value tell what a field is, because all events name alike what is
 * alike: `_at` and `deadline` are times, `_ms` durations, `_basis_points` shares; money stands beside its `currency`.
 */

import { brief, count, money, momentOf, percent, title, took, words } from './format.ts'

type Fields = Readonly<Record<string, unknown>>

/** Times in ms lie beyond this: September 2001. */
const firstTimeMs = 1_000_000_000_000

const isTime = (name: string): boolean =>
  /(?:_at|_start|_end|^at|^until|_until|^start|^created|^deadline|^not_before)$/.test(name)
const isMoney = (name: string): boolean => /^(?:list_|unit_)?amount|^(?:old_|new_)?mrr$|_amount$/.test(name)
const isShare = (name: string): boolean => /confidence|^probability$|^p_best$/.test(name)

/** One value as text; null when it is a record or a list of records. @param beside the fields it stands among */
export function told(name: string, value: unknown, beside: Fields = {}): string | null {
  if (typeof value === 'number') return numberTold(name, value, beside)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) return value.map(String).join(', ')
  return null
}

function numberTold(name: string, value: number, beside: Fields): string {
  const { currency } = beside
  if (isTime(name) && value >= firstTimeMs) return momentOf(value)
  if (name === 'ms' || name.endsWith('_ms') || name.startsWith('ms_')) return took(value)
  if (isMoney(name) && typeof currency === 'string' && Number.isInteger(value)) return money(value, currency)
  if (name.endsWith('_basis_points')) return percent(value / 10_000)
  if (name.endsWith('_microdollars')) return `$${String(value / 1_000_000)}`
  if (isShare(name) && value >= 0 && value <= 1) return percent(value)
  // Versions, codes and years are no amounts.
  return value >= 10_000 ? count(value) : String(value)
}

/** A field's name without the unit that its value is told in. */
export const plainName = (name: string): string => name.replace(/_(?:ms|basis_points|microdollars)$/, '')

/** What an event of this type says, in a few words; empty when its type says all. */
export function gist(type: string, of: Fields): string {
  const own = sentences[type]?.(of)
  if (own !== undefined) return own
  return Object.entries(of)
    .filter(([name, each]) => tells(name, each))
    .slice(0, 4)
    .map(([name, each]) => `${name === 'ms' ? 'took' : words(plainName(name))} ${shortly(name, each, of)}`)
    .join(' · ')
}

/** Ids, references and what stands with its amount tell nobody anything. */
const tells = (name: string, value: unknown): boolean =>
  typeof value !== 'object' &&
  value !== '' &&
  !/(?:_id|_ref|_hash|_key|^url|_at|^at|^not_before|^deadline|^currency|^created|^start|_start|^sandbox|^identifier|_token|^jti)$/.test(
    name,
  )

function shortly(name: string, value: unknown, of: Fields): string {
  const text = told(name, value, of) ?? ''
  return brief(/^[a-z_]+$/.test(text) ? words(text) : text, 48)
}

const text = (of: Fields, name: string): string => words(String(of[name] ?? ''))
const joined = (...parts: readonly (string | null | undefined | false)[]): string =>
  parts.filter((part) => part !== null && part !== undefined && part !== false && part !== '').join(' · ')
const moneyOf = (of: Fields, name: string): string => told(name, of[name], of) ?? ''
const step = (of: Fields): string => title(String(of['step'] ?? ''))

const sentences: Readonly<Record<string, ((of: Fields) => string) | undefined>> = {
  stage_changed: (of) =>
    joined(
      of['from'] === of['to'] ? title(String(of['to'])) : `${title(String(of['from']))} → ${title(String(of['to']))}`,
      text(of, 'reason'),
    ),
  step_started: (of) => joined(step(of), `due ${moneyOf(of, 'deadline')}`),
  step_completed: (of) => joined(step(of), `took ${moneyOf(of, 'ms')}`),
  step_failed: (of) => joined(step(of), text(of, 'class'), `attempt ${String(of['attempt'] ?? '')}`),
  step_timed_out: step,
  compensation_requested: (of) => joined(step(of), `attempt ${String(of['attempt'] ?? '')}`),
  compensation_step_done: step,
  lifecycle_completed: (of) => `took ${moneyOf(of, 'ms')}`,
  call_requested: (of) => joined(`${text(of, 'provider')}, ${text(of, 'operation')}`, again(of)),
  call_answered: (of) =>
    joined(
      `${text(of, 'provider')}, ${text(of, 'operation')}`,
      of['class'] === 'ok' ? 'ok' : joined(text(of, 'class'), `status ${String(of['status'] ?? '')}`),
      again(of),
    ),
  document_generated: (of) =>
    joined(title(String(of['document_type'] ?? '')), `version ${String(of['version'] ?? 1)}`, moneyOf(of, 'amount')),
  document_requested: (of) => joined(title(String(of['document_type'] ?? '')), text(of, 'reason')),
  document_signed: (of) => title(String(of['document_type'] ?? '')),
  document_declined: (of) => joined(title(String(of['document_type'] ?? '')), String(of['reason'] ?? '')),
  document_voided: (of) => joined(title(String(of['document_type'] ?? '')), text(of, 'reason')),
  subscription_activated: (of) => joined(`${moneyOf(of, 'mrr')} a month`, `plan ${text(of, 'plan')}`),
  invoice_issued: (of) => moneyOf(of, 'amount_due'),
  invoice_paid: (of) => moneyOf(of, 'amount_paid'),
  refund_issued: (of) => moneyOf(of, 'amount'),
  stripe_event_received: (of) => String(of['type'] ?? ''),
  demo_step_completed: (of) => joined(`step ${String(of['step'] ?? '')}`, moneyOf(of, 'dwell_ms')),
}

const again = ({ attempt }: Fields): string | false =>
  typeof attempt === 'number' && attempt > 1 && `attempt ${String(attempt)}`
