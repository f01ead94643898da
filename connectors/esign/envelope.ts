/** An envelope in DocuSign's words, from what a step asked for. */

import { z } from 'zod'

export const fileRef = z.object({
  bucket: z.string(),
  key: z.string(),
  version_id: z.string(),
  sha256: z.string(),
  bytes: z.number(),
})

export const envelopeRequest = z.object({
  transaction_id: z.string().min(1),
  document: z.object({ ref: fileRef, name: z.string() }),
  document_id: z.string(),
  version: z.number(),
  document_type: z.string(),
  company: z.object({ company_name: z.string(), domain: z.string().nullish() }),
  signers: z.array(z.object({ role: z.enum(['client', 'provider']), order: z.number() })).min(1),
  expires_in_days: z.number().min(1),
})
export type EnvelopeRequest = z.infer<typeof envelopeRequest>

export interface Person {
  readonly name: string
  readonly email: string
}

export interface Addressed {
  readonly tenantId: string
  readonly organizationId: string
  readonly pdf: Buffer
  readonly people: Readonly<Record<'client' | 'provider', Person>>
  /** Where the account's webhooks go when they are asked for per envelope; null leaves it to the account's Connect. */
  readonly webhookUrl: string | null
}

/** Recipient ids, by role: webhooks name recipients by them. */
export const recipientIds = { client: '1', provider: '2' } as const

const events = [
  'envelope-sent',
  'envelope-delivered',
  'envelope-completed',
  'envelope-declined',
  'envelope-voided',
  'recipient-completed',
]
const longestSubject = 100

/** The body of `POST /envelopes`. Our ids travel in custom fields and come back in every webhook. */
export function wireEnvelope(asked: EnvelopeRequest, to: Addressed): Readonly<Record<string, unknown>> {
  const text = (name: string, value: string) => ({ name, value: value.slice(0, 100), show: 'false', required: 'false' })
  const { document_type, company } = asked
  return {
    status: 'sent',
    transactionId: asked.transaction_id,
    emailSubject: `${document_type === 'nda' ? 'NDA' : capital(document_type)} for ${company.company_name}`.slice(
      0,
      longestSubject,
    ),
    documents: [
      {
        documentId: '1',
        name: asked.document.name,
        fileExtension: 'pdf',
        documentBase64: to.pdf.toString('base64'),
      },
    ],
    recipients: {
      signers: asked.signers.map(({ role, order }) => ({
        recipientId: recipientIds[role],
        roleName: role,
        routingOrder: String(order),
        name: to.people[role].name,
        email: to.people[role].email,
        tabs: tabsOf(recipientIds[role]),
      })),
    },
    customFields: {
      textCustomFields: [
        text('tenant_id', to.tenantId),
        text('organization_id', to.organizationId),
        text('document_id', asked.document_id),
        text('version', String(asked.version)),
        text('company', company.company_name),
        ...(company.domain == null ? [] : [text('domain', company.domain)]),
      ],
    },
    // Reminders are ours to send; the expiry is a second net below our own.
    notification: {
      useAccountDefaults: 'false',
      reminders: { reminderEnabled: 'false' },
      expirations: { expireEnabled: 'true', expireAfter: String(asked.expires_in_days + 1), expireWarn: '0' },
    },
    ...(to.webhookUrl === null ? {} : { eventNotification: notificationOf(to.webhookUrl) }),
  }
}

/**
 * Where a signer signs, and where the day goes: at the anchors that every document of ours has in white, numbered as the
 * recipients are (connectors/rendering/pdf/parts.ts). A signer without tabs would have to place them. In a file without
 * anchors they are left out, and the envelope goes its way; else the service refuses it.
 */
function tabsOf(column: string) {
  const at = (anchor: string) => [
    { anchorString: `/${anchor}${column}/`, anchorUnits: 'pixels', anchorIgnoreIfNotPresent: 'true' },
  ]
  return { signHereTabs: at('sig'), dateSignedTabs: at('date') }
}

const notificationOf = (url: string) => ({
  url,
  events,
  eventData: { version: 'restv2.1', format: 'json', includeData: ['custom_fields', 'recipients'] },
  requireAcknowledgment: 'true',
  includeHMAC: 'true',
  deliveryMode: 'SIM',
})

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)
