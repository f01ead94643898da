/**
 * The demo behind a token. The token alone says which tenant may be looked into; then the row is read as the api role, which
 * sees that tenant and no other.
 */

import type { Pool } from '../../connectors/postgres/index.ts'
import { readOnly } from '../../connectors/postgres/index.ts'
import type { Json } from '../../schemas/index.ts'

/** What a token stands for. */
export interface Share {
  readonly tenantId: string
  readonly demoId: string
}

export interface SharedDemo extends Share {
  readonly organizationId: string
  /** Of the version that is asked for, as are the steps. */
  readonly pageRef: Json
  readonly qrRef: Json
  readonly steps: number
  /** Published, and its time is not over. */
  readonly isOpen: boolean
}

export interface ChatMessage {
  readonly role: 'user' | 'assistant'
  readonly text: string
  readonly message_id: string
  readonly at: string
}

export interface SharedDemos {
  /** @param version the one that a link is pinned to; null for the newest. Null for a token that opens nothing, or a version that is not there. */
  find(token: string, version: number | null): Promise<SharedDemo | null>
  /** Of one conversation, oldest first. */
  messages(demo: Share, sessionId: string, limit: number): Promise<readonly ChatMessage[]>
}

export interface SharedDemosOptions {
  /** Connected as role `api`. */
  readonly pool: Pool
  readonly openToken: (token: string) => Share | null
  /** Business time in ms. */
  readonly time: () => number
}

/** Nobody in particular: a visitor has no account. */
const nobody = '00000000-0000-0000-0000-000000000000'

interface Row {
  readonly organization_id: string
  readonly status: string
  readonly expires_at: Date
  readonly page_ref: Json
  readonly qr_ref: Json
  readonly steps: number
}

interface MessageRow {
  readonly role: string
  readonly excerpt: string
  readonly message_id: string
  readonly said_at: Date
}

export function sharedDemos({ pool, openToken, time }: SharedDemosOptions): SharedDemos {
  const within = (tenantId: string) => ({ tenantId, userId: nobody, userType: 'client' }) as const
  return {
    async find(token, version) {
      const share = openToken(token)
      if (share === null) return null
      const row = await readOnly(pool, within(share.tenantId), async (client) => {
        const { rows } = await client.query<Row>(
          `select d.organization_id, d.status, d.expires_at, v.page_ref, d.qr_ref,
             jsonb_array_length(v.personalization -> 'steps') as steps
           from lifecycle.demos d join lifecycle.demo_versions v
             on v.tenant_id = d.tenant_id and v.demo_id = d.demo_id and v.version = coalesce($3, d.version)
           where d.tenant_id = $1 and d.demo_id = $2`,
          [share.tenantId, share.demoId, version],
        )
        return rows[0] ?? null
      })
      if (row === null) return null
      const { organization_id: organizationId, page_ref: pageRef, qr_ref: qrRef, steps } = row
      const isOpen = row.status === 'published' && row.expires_at.getTime() > time()
      return { ...share, organizationId, pageRef, qrRef, steps, isOpen }
    },
    messages: ({ tenantId, demoId }, sessionId, limit) =>
      readOnly(pool, within(tenantId), async (client) => {
        const { rows } = await client.query<MessageRow>(
          `select role, excerpt, message_id, said_at from lifecycle.demo_chat_messages
           where tenant_id = $1 and demo_id = $2 and session_id = $3 and excerpt is not null
           order by said_at desc, src_offset desc limit $4`,
          [tenantId, demoId, sessionId, limit],
        )
        return rows.reverse().map(messageOf)
      }),
  }
}

const messageOf = ({ role, excerpt, message_id, said_at }: MessageRow): ChatMessage => ({
  role: role === 'assistant' ? 'assistant' : 'user',
  text: excerpt,
  message_id,
  at: said_at.toISOString(),
})
