/** Mail that identity asks for. What it carries in secret stays in SQL: the event names it by its reference. */

import { communicationEvents } from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { IdentityContext } from './context.ts'
import { uuid } from './digest.ts'
import type { Draft } from './outbox.ts'
import { draft } from './outbox.ts'

export interface Mail {
  /** The user it goes to; of an invitation, the invitation: there may be no user yet. */
  readonly contactId: string
  /** One of connectors/mail/templates.ts. */
  readonly template: string
  readonly to: string
  /** Mails with the same one are sent once in a day. */
  readonly dedupeKey: string
  /** Where the code stands that the text shows. */
  readonly codeRef?: string
  readonly data?: Readonly<Record<string, Json>>
}

export function mail({ random }: IdentityContext, of: Mail): Draft {
  return draft(communicationEvents, 'message_requested', {
    contact_id: of.contactId,
    message_id: uuid(random),
    purpose: 'transactional',
    channel: 'email',
    template: of.template,
    data_ref: of.codeRef ?? null,
    dedupe_key: of.dedupeKey,
    to: of.to,
    data: of.data ?? {},
  })
}
