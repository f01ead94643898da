/** What our own projections say of the providers' objects. */

import type { Queryable } from '../../../connectors/postgres/index.ts'

export interface Held {
  /** By document and version: the envelope. */
  readonly envelopes: ReadonlyMap<string, string>
  /** By id: status and customer, in the words of the judge. */
  readonly subscriptions: ReadonlyMap<string, string>
  /** By id: status, what is paid and what is given back. */
  readonly invoices: ReadonlyMap<string, string>
  /** Invoices whose refund was for a person to decide, who did not say yes in time. */
  readonly withheld: ReadonlySet<string>
}

export async function heldIn(database: Queryable): Promise<Held> {
  const pairs = async (sql: string): Promise<Map<string, string>> => {
    const { rows } = await database.query<{ id: string; says: string }>(sql)
    return new Map(rows.map(({ id, says }) => [id, says]))
  }
  const withheld = await pairs(
    `select subject_ref as id, 'withheld' as says from lifecycle.review_queue
      where subject_type = 'refund' and decision is distinct from 'approve'`,
  )
  return {
    withheld: new Set(withheld.keys()),
    envelopes: await pairs(
      `select document_id || ' v' || version as id, envelope_id as says
         from lifecycle.document_versions where envelope_id is not null`,
    ),
    subscriptions: await pairs(
      `select subscription_id as id, status || ' of ' || coalesce(customer_id, 'nobody') as says
         from lifecycle.subscriptions`,
    ),
    invoices: await pairs(
      `select i.invoice_id as id,
              i.status || ', ' || coalesce(i.amount_paid, 0) || ' paid, ' || coalesce(r.amount, 0) || ' given back' as says
         from lifecycle.invoices i
         left join (select tenant_id, invoice_id, sum(amount) as amount from lifecycle.refunds group by 1, 2) r
           using (tenant_id, invoice_id)`,
    ),
  }
}
