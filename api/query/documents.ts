/** Sales documents: how they stand, their versions, and their files. */

import { z } from 'zod'
import type { PoolClient } from '../../connectors/postgres/index.ts'
import { nullSellersFields } from '../../schemas/index.ts'
import type { Endpoint, Principal } from '../http/endpoint.ts'
import { endpoint, isAgent } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import { isUuid, listQuery, pageOf, readQuery } from './parameters.ts'
import type { Reader } from './reader.ts'
import { notFound } from './reader.ts'
import { instant, list404, maybeInstant, read404 } from './responses.ts'

/** Where files are read; the part of an object store that is used here. Rejects when the store is away. */
export interface FileReader {
  get(key: string, versionId?: string): Promise<{ readonly content: Buffer } | null>
}

const projections = ['documents']
const types = ['nda', 'pricing', 'proposal', 'contract'] as const
const statuses = [
  ...['generated', 'approved', 'rejected', 'failed', 'sent'],
  ...['viewed', 'signed', 'declined', 'voided', 'expired'],
] as const

const amount = z.int().nullable().meta({ description: 'In minor units of the currency, of one interval' })
const figures = {
  currency: z.string().nullable(),
  amount,
  list_amount: amount,
  discount_basis_points: z.int().nullable(),
  margin_basis_points: z.int().nullable().meta({ description: 'For agents; null for others' }),
  quantity: z.int().nullable().meta({ description: 'Seats' }),
}
const document = z.object({
  document_id: z.string(),
  organization_id: z.uuid(),
  document_type: z.enum(types),
  version: z.int(),
  status: z.enum(statuses),
  ...figures,
  generated_at: instant,
  approved_by: z.string().nullable(),
  envelope_id: z.string().nullable(),
  sent_at: maybeInstant,
  expires_at: maybeInstant,
  viewed_at: maybeInstant,
  reminders: z.int().nullable(),
  signed_at: maybeInstant,
  terms: z.unknown().meta({ description: 'What a signed contract agreed' }),
  reason: z.string().nullable(),
  ended_at: maybeInstant,
})
const version = z.object({
  version: z.int(),
  template_version: z.int(),
  ...figures,
  sha256: z.string().meta({ description: 'Of the drawn-up file' }),
  generated_at: instant,
  approved_by: z.string().nullable(),
  approved_at: maybeInstant,
  envelope_id: z.string().nullable(),
  sent_at: maybeInstant,
  signed_at: maybeInstant,
  signed_sha256: z.string().nullable().meta({ description: 'Of the signed file' }),
  certificate_sha256: z.string().nullable(),
})

const documentsQuery = listQuery.extend({
  organization_id: z.uuid().optional(),
  document_type: z.enum(types).optional(),
  status: z.enum(statuses).optional(),
})
const kinds = ['signed', 'draft', 'certificate'] as const
const downloadQuery = readQuery.extend({
  kind: z.enum(kinds).optional().meta({ description: 'The signed file where there is one, unless told' }),
  version: z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'expected a version')
    .optional()
    .meta({ description: 'The newest unless told' }),
})

export function documentEndpoints(reader: Reader, files: FileReader | null): readonly Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/documents',
      summary: 'Sales documents, newest first',
      tag: 'documents',
      auth: 'bearer',
      query: documentsQuery,
      response: [{ status: 200, description: 'A page of documents', schema: pageOf(document) }, ...list404],
      handler: async ({ principal, query }) => {
        const { organization_id, document_type, status } = query
        const filters = { organization_id, document_type, status }
        const page = await reader.page<DocumentRow>(principal, query, projections, {
          list: 'documents',
          filters,
          fetch: (client, after, limit) =>
            documentRows(client, [
              organization_id ?? null,
              document_type ?? null,
              status ?? null,
              after?.[0] ?? null,
              after?.[1] ?? null,
              limit,
            ]),
          placeOf: ({ generated_at, document_id }) => [generated_at.toISOString(), document_id],
        })
        return { status: 200, body: { ...page, items: page.items.map((row) => shown(row, principal)) } }
      },
    }),
    endpoint({
      method: 'get',
      path: '/documents/:id',
      summary: 'One document with its versions',
      tag: 'documents',
      auth: 'bearer',
      query: readQuery,
      response: [
        {
          status: 200,
          description: 'The document; versions newest first',
          schema: document.extend({ versions: z.array(version) }),
        },
        ...read404,
      ],
      handler: async ({ principal, query, params }) => ({
        status: 200,
        body: await reader.read(principal, query, projections, (client) =>
          oneDocument(client, principal, params.id ?? ''),
        ),
      }),
    }),
    endpoint({
      method: 'get',
      path: '/documents/:id/download',
      summary: 'The file of a document, as PDF',
      tag: 'documents',
      auth: 'bearer',
      query: downloadQuery,
      response: [
        { status: 200, description: 'application/pdf; its SHA-256 stands in `Digest`' },
        { status: 503, description: '`storage_unavailable`' },
        ...read404,
      ],
      handler: async ({ principal, query, params }) => {
        const found = await reader.read(principal, query, projections, (client) =>
          fileOf(client, params.id ?? '', query.kind, query.version === undefined ? null : Number(query.version)),
        )
        const content = await contentOf(files, found.ref)
        return {
          status: 200,
          bytes: { type: 'application/pdf', content },
          headers: {
            'Content-Disposition': `attachment; filename="${found.name}"`,
            Digest: `sha-256=${Buffer.from(found.ref.sha256, 'hex').toString('base64')}`,
            'Cache-Control': 'private, no-store',
          },
        }
      },
    }),
  ]
}

interface FiguresRow {
  readonly amount: string | null
  readonly list_amount: string | null
}
interface DocumentRow extends FiguresRow {
  readonly document_id: string
  readonly generated_at: Date
  readonly status: string
}

const documentColumns = `document_id, organization_id, document_type, version, status, currency, amount, list_amount,
  discount_basis_points, margin_basis_points, quantity, generated_at, approved_by, envelope_id, sent_at, expires_at,
  viewed_at, reminders, signed_at, terms, reason, ended_at`

async function documentRows(client: PoolClient, values: readonly unknown[]): Promise<readonly DocumentRow[]> {
  const { rows } = await client.query<DocumentRow>(
    `select ${documentColumns} from lifecycle.documents
     where deleted_at is null and ($1::uuid is null or organization_id = $1) and ($2::text is null or document_type = $2)
       and ($3::text is null or status = $3) and ($4::timestamptz is null or (generated_at, document_id) < ($4, $5))
     order by generated_at desc, document_id desc limit $6`,
    [...values],
  )
  return rows
}

/** @throws ApiProblem 404 */
async function visibleDocument(client: PoolClient, id: string): Promise<DocumentRow & { readonly tenant_id: string }> {
  const { rows } = await client.query<DocumentRow & { readonly tenant_id: string }>(
    `select tenant_id, ${documentColumns} from lifecycle.documents where document_id = $1 and deleted_at is null`,
    [isUuid(id) ? id : ''],
  )
  const [row] = rows
  if (row === undefined) throw notFound()
  return row
}

async function oneDocument(client: PoolClient, principal: Principal, id: string): Promise<unknown> {
  const { tenant_id, ...row } = await visibleDocument(client, id)
  const { rows } = await client.query<FiguresRow>(
    `select version, template_version, currency, amount, list_amount, discount_basis_points, margin_basis_points, quantity,
       ref->>'sha256' as sha256, generated_at, approved_by, approved_at, envelope_id, sent_at, signed_at,
       signed_ref->>'sha256' as signed_sha256, certificate_ref->>'sha256' as certificate_sha256
     from lifecycle.document_versions where tenant_id = $1 and document_id = $2 and deleted_at is null
     order by version desc limit 200`,
    [tenant_id, row.document_id],
  )
  return { ...shown(row, principal), versions: rows.map((version) => shown(version, principal)) }
}

interface StoredFile {
  readonly key: string
  readonly version_id: string
  readonly sha256: string
}

/** Which file is meant, as the asker may see it. @throws ApiProblem 404 */
async function fileOf(
  client: PoolClient,
  id: string,
  kind: (typeof kinds)[number] | undefined,
  wanted: number | null,
): Promise<{ readonly ref: StoredFile; readonly name: string }> {
  const { tenant_id, document_id } = await visibleDocument(client, id)
  const { rows } = await client.query<{
    readonly document_type: string
    readonly version: number
    readonly ref: StoredFile | null
    readonly signed_ref: StoredFile | null
    readonly certificate_ref: StoredFile | null
  }>(
    `select document_type, version, ref, signed_ref, certificate_ref from lifecycle.document_versions
     where tenant_id = $1 and document_id = $2 and deleted_at is null and ($3::int is null or version = $3)
     order by version desc limit 1`,
    [tenant_id, document_id, wanted],
  )
  const [row] = rows
  if (row === undefined) throw notFound()
  const { signed_ref, certificate_ref } = row
  const told = kind ?? (signed_ref === null ? 'draft' : 'signed')
  const ref = { signed: signed_ref, draft: row.ref, certificate: certificate_ref }[told]
  if (ref === null) throw notFound()
  return { ref, name: `${row.document_type}-v${row.version}${told === 'draft' ? '' : `-${told}`}.pdf` }
}

/** @throws ApiProblem 404, when it was removed; 503 */
async function contentOf(files: FileReader | null, { key, version_id }: StoredFile): Promise<Buffer> {
  const unavailable = new ApiProblem(503, 'storage_unavailable', 'The file cannot be read now; try again.', {
    headers: { 'Retry-After': '1' },
  })
  if (files === null) throw unavailable
  // Removed is removed: an older version below a delete marker is not shown.
  const read = (version?: string) =>
    files.get(key, version).catch(() => {
      throw unavailable
    })
  if ((await read()) === null) throw notFound()
  const found = await read(version_id)
  if (found === null) throw notFound()
  return found.content
}

/** Why we rejected a document is ours to know; why a client declined it, or that it was voided, is not. */
function shown<T extends FiguresRow & { readonly status?: string }>(row: T, principal: Principal) {
  const numbered = inNumbers(row)
  return isAgent(principal) ? numbered : nullSellersFields(numbered, row.status === 'rejected' ? ['reason'] : [])
}

/** int8 arrives as text, exact; ours are safe integers. */
const inNumbers = <T extends FiguresRow>(row: T) => ({
  ...row,
  amount: row.amount === null ? null : Number(row.amount),
  list_amount: row.list_amount === null ? null : Number(row.list_amount),
})
