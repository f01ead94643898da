/** I11: each tenant's data holds marks of its own; they are found where that tenant's data is, and nowhere else. */

import type { SeenRecord, Violation } from '../../program.ts'
import type { Tenant } from '../companies.ts'
import type { FirstLight, TablesAt } from '../first-light.ts'
import type { Seen } from '../seen.ts'

interface Mark {
  readonly tenantId: string
  readonly bytes: Buffer
  readonly text: string
  readonly secret: boolean
}

export function tenantsApart({ log }: Seen, world: FirstLight): Violation[] {
  const tenants = new Map(world.companies.map(({ tenant }) => [tenant.tenantId, tenant]))
  const marks = [...tenants.values()].flatMap(marksOf)
  const records = log
    .topics()
    .flatMap((topic) => Array.from({ length: log.partitions(topic) }, (_, partition) => log.records(topic, partition)))
    .flat()
  return [
    ...records.flatMap((record) => inRecord(record, marks)),
    ...world.providers.entries.flatMap(({ provider, tenantId, request }) =>
      inText(`a request to ${provider}`, tenantId, request, marks),
    ),
    ...inRows(world.tablesNow(), marks),
    ...world.notices.flatMap(({ line }) => inText(`the notice "${line}"`, null, line, marks)),
  ]
}

const marksOf = ({ tenantId, canary, secret }: Tenant): Mark[] => [
  { tenantId, bytes: Buffer.from(canary), text: canary, secret: false },
  { tenantId, bytes: Buffer.from(secret), text: secret, secret: true },
]

function inRecord({ topic, partition, offset, key, value, headers }: SeenRecord, marks: readonly Mark[]): Violation[] {
  const bytes = Buffer.concat([key ?? nothing, value ?? nothing, ...headers.map((header) => header.value)])
  return marks.flatMap((mark): Violation[] => {
    if (!bytes.includes(mark.bytes)) return []
    const where = `${topic}-${partition}@${offset}`
    if (mark.secret) return [{ invariant: 'I11', what: `${where} shows what is personal of ${mark.tenantId}` }]
    if (key?.toString('latin1').startsWith(mark.tenantId) === true) return []
    return [{ invariant: 'I11', what: `${where} is not of ${mark.tenantId} and holds its data` }]
  })
}

const nothing = Buffer.alloc(0)

function inRows({ rows }: TablesAt, marks: readonly Mark[]): Violation[] {
  return [...rows].flatMap(([table, all]) =>
    all.flatMap(({ key, values }) =>
      inText(`a row of ${table}`, String(key['tenant_id']), JSON.stringify(values), marks),
    ),
  )
}

function inText(where: string, tenantId: string | null, text: string, marks: readonly Mark[]): Violation[] {
  return marks
    .filter((mark) => mark.tenantId !== tenantId && text.includes(mark.text))
    .map((mark) => ({ invariant: 'I11', what: `${where} holds data of ${mark.tenantId}` }))
}
