/** What the providers know in the end: their own objects, read from what the resident sandbox keeps, and their log of calls. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProviderCall } from './faults.ts'

export interface EnvelopeSeen {
  readonly envelopeId: string
  readonly transactionId: string
  readonly createdAt: number
  readonly status: 'sent' | 'delivered' | 'completed' | 'declined' | 'voided'
  readonly organizationId: string
  readonly documentId: string
  readonly version: number
  readonly domain: string
}

export interface SubscriptionSeen {
  readonly id: string
  readonly status: string
  readonly documentId: string
}

export interface InvoiceSeen {
  readonly id: string
  readonly subscription: string
  readonly reason: string
  readonly status: string
  readonly periodStart: number
  readonly due: number
  readonly paid: number
  readonly refunded: number
  readonly refundIds: readonly string[]
}

export interface CustomerSeen {
  readonly id: string
  readonly organizationId: string
  readonly domain: string
  readonly subscriptions: readonly SubscriptionSeen[]
  readonly invoices: readonly InvoiceSeen[]
}

export interface MeterEventSeen {
  readonly identifier: string
  readonly meter: string
  readonly customerId: string
  readonly value: number
}

export interface ImportedSeen {
  readonly insertId: string
  readonly event: string
}

export interface MailSeen {
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface Evidence {
  readonly envelopes: readonly EnvelopeSeen[]
  readonly customers: readonly CustomerSeen[]
  readonly meterEvents: readonly MeterEventSeen[]
  readonly imported: readonly ImportedSeen[]
  readonly mails: readonly MailSeen[]
  /** In the order in which they ended. */
  readonly calls: readonly ProviderCall[]
}

type Loose = Readonly<Record<string, unknown>>
const record = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const whole = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** @param directory of the resident sandbox, whose files are whole after each of its answers */
export function evidenceIn(directory: string, calls: readonly ProviderCall[]): Evidence {
  const kept = (name: string): Loose[] => [...keptIn(join(directory, name)).values()].map(record)
  return {
    envelopes: kept('docusign-envelopes.ndjson').map(envelopeOf),
    customers: kept('stripe-accounts.ndjson').map(customerOf),
    meterEvents: calls.flatMap(meterEventOf),
    imported: kept('mixpanel.ndjson').map(({ insert_id, event }) => ({
      insertId: text(insert_id),
      event: text(event),
    })),
    mails: linesIn(join(directory, 'mail.ndjson'))
      .map(record)
      .map(({ to, subject, text: words }) => ({ to: text(to), subject: text(subject), text: text(words) })),
    calls,
  }
}

function linesIn(path: string): unknown[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown)
}

/** As the stand-ins write: a key with its newest value, or null. */
function keptIn(path: string): Map<string, unknown> {
  const kept = new Map<string, unknown>()
  for (const line of linesIn(path)) {
    const [key, value] = line as [string, unknown]
    if (value === null) kept.delete(key)
    else kept.set(key, value)
  }
  return kept
}

function envelopeOf(kept: Loose): EnvelopeSeen {
  const custom = record(kept['custom'])
  return {
    envelopeId: text(kept['envelopeId']),
    transactionId: text(kept['transactionId']),
    createdAt: whole(kept['createdAt']),
    status: text(kept['status']) as EnvelopeSeen['status'],
    organizationId: text(custom['organization_id']),
    documentId: text(custom['document_id']),
    version: Number(text(custom['version'])),
    domain: text(custom['domain']),
  }
}

function customerOf(kept: Loose): CustomerSeen {
  const email = text(kept['email'])
  return {
    id: text(kept['id']),
    organizationId: text(record(kept['metadata'])['organization_id']),
    domain: email.slice(email.indexOf('@') + 1),
    subscriptions: Object.values(record(kept['subscriptions'])).map((value) => {
      const { id, status, metadata } = record(value)
      return { id: text(id), status: text(status), documentId: text(record(metadata)['document_id']) }
    }),
    invoices: Object.values(record(kept['invoices'])).map(record).map(invoiceOf),
  }
}

const invoiceOf = (kept: Loose): InvoiceSeen => ({
  id: text(kept['id']),
  subscription: text(kept['subscription']),
  reason: text(kept['billing_reason']),
  status: text(kept['status']),
  periodStart: whole(kept['period_start']),
  due: whole(kept['amount_due']),
  paid: whole(kept['amount_paid']),
  refunded: whole(kept['refunded']),
  refundIds: (kept['refund_ids'] as readonly string[] | undefined) ?? [],
})

/** The payment service keeps sums, and names for a day: what it counted is what it took and did not know yet. */
function meterEventOf({ report, status, replayed }: ProviderCall): MeterEventSeen[] {
  if (report === null || status !== 200 || replayed) return []
  const told = new URLSearchParams(report)
  const named = (name: string): string => told.get(name) ?? ''
  return [
    {
      identifier: named('identifier'),
      meter: named('event_name'),
      customerId: named('payload[stripe_customer_id]'),
      value: Number(named('payload[value]')),
    },
  ]
}
