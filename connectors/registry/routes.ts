/** The endpoints of Confluent's registry that are served, as data. `*` in a path is a parameter. */

import type { EmbeddedRegistry } from './embedded.ts'
import type { RegisteredSchema } from './registry-table.ts'
import { isCompatibilityLevel } from './registry-table.ts'

/** A JSON body; text is sent as it is. */
export type Answer = string | number | boolean | object

export interface Asked {
  readonly registry: EmbeddedRegistry
  /** What stood for each `*`, decoded. */
  readonly parameters: readonly string[]
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: readonly string[]
  /** Changes what the registry holds. */
  readonly writes?: true
  answer(asked: Asked): Answer | Promise<Answer>
}

/** A refusal in Confluent's form: HTTP status, error code, message. */
export class RegistryRefusal extends Error {
  readonly status: number
  readonly code: number
  constructor(status: number, code: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RegistryRefusal'
    this.status = status
    this.code = code
  }
}

const route = (method: Route['method'], path: string, answer: Route['answer'], writes?: 'writes'): Route => ({
  method,
  path: path.split('/').slice(1),
  answer,
  ...(writes === undefined ? {} : { writes: true }),
})

export const routes: readonly Route[] = [
  route('GET', '', () => ({})),
  route('GET', '/subjects', ({ registry }) => registry.table.subjects()),
  route('POST', '/subjects/*', findSchema),
  route('GET', '/subjects/*/versions', (asked) => versionsOf(asked).map((version) => version.version)),
  route('POST', '/subjects/*/versions', registerSchema, 'writes'),
  route('GET', '/subjects/*/versions/*', (asked) => ({ ...versionOf(asked) })),
  route('GET', '/subjects/*/versions/*/schema', (asked) => versionOf(asked).schema),
  route('GET', '/schemas/types', () => ['AVRO']),
  route('GET', '/schemas/ids/*', (asked) => ({ schema: textOf(asked) })),
  route('GET', '/schemas/ids/*/schema', (asked) => textOf(asked)),
  route('GET', '/schemas/ids/*/versions', (asked) =>
    usesOf(asked).map(({ subject, version }) => ({ subject, version })),
  ),
  route('GET', '/schemas/ids/*/subjects', (asked) => [...new Set(usesOf(asked).map(({ subject }) => subject))]),
  route('GET', '/config', ({ registry }) => ({ compatibilityLevel: registry.table.configured(null) })),
  route('PUT', '/config', (asked) => setLevel(asked, null), 'writes'),
  route('GET', '/config/*', subjectLevel),
  route('PUT', '/config/*', (asked) => setLevel(asked, asked.parameters[0]!), 'writes'),
  route('POST', '/compatibility/subjects/*/versions', (asked) => checkAgainst(asked)),
  route('POST', '/compatibility/subjects/*/versions/*', (asked) => checkAgainst(asked, [versionOf(asked)])),
  route('GET', '/mode', () => ({ mode: 'READWRITE' })),
  route('GET', '/mode/*', () => ({ mode: 'READWRITE' })),
]

async function registerSchema(asked: Asked): Promise<Answer> {
  const { id } = await asked.registry.registerText(asked.parameters[0]!, schemaIn(asked.body))
  return { id }
}

function findSchema(asked: Asked): Answer {
  versionsOf(asked)
  const found = asked.registry.table.find(asked.parameters[0]!, schemaIn(asked.body))
  if (found === undefined) throw new RegistryRefusal(404, 40403, 'Schema not found')
  return { ...found }
}

/** Judged at the subject's level; against one version when one is named. */
function checkAgainst(asked: Asked, versions?: readonly RegisteredSchema[]): Answer {
  const messages = asked.registry.table.conflicts(asked.parameters[0]!, schemaIn(asked.body), versions)
  const verbose = asked.query.get('verbose') === 'true'
  return { is_compatible: messages.length === 0, ...(verbose ? { messages } : {}) }
}

function subjectLevel({ registry, parameters, query }: Asked): Answer {
  const subject = parameters[0]!
  const own = registry.table.configured(subject)
  if (own !== undefined) return { compatibilityLevel: own }
  if (query.get('defaultToGlobal') === 'true') return { compatibilityLevel: registry.table.level(subject) }
  throw new RegistryRefusal(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`)
}

async function setLevel({ registry, body }: Asked, subject: string | null): Promise<Answer> {
  const level = body.compatibility
  if (!isCompatibilityLevel(level)) throw new RegistryRefusal(422, 42203, 'Invalid compatibility level')
  await registry.setLevel(subject, level)
  return { compatibility: level }
}

/** The schema a body carries. References between subjects and other languages than Avro are not taken. */
function schemaIn(body: Readonly<Record<string, unknown>>): string {
  const { schema, schemaType = 'AVRO', references = [] } = body
  if (typeof schema !== 'string') throw new RegistryRefusal(422, 42201, 'Invalid schema: none was sent')
  if (schemaType !== 'AVRO') throw new RegistryRefusal(422, 42201, 'Invalid schema: only AVRO is taken')
  if (!Array.isArray(references) || references.length > 0)
    throw new RegistryRefusal(422, 42201, 'Invalid schema: references are not taken')
  return schema
}

function versionsOf({ registry, parameters }: Asked): readonly RegisteredSchema[] {
  const versions = registry.table.versions(parameters[0]!)
  if (versions.length === 0) throw new RegistryRefusal(404, 40401, `Subject '${parameters[0]}' not found.`)
  return versions
}

function versionOf(asked: Asked): RegisteredSchema {
  const versions = versionsOf(asked)
  const wanted = asked.parameters[1]!
  if (wanted === 'latest' || wanted === '-1') return versions.at(-1)!
  if (!/^[1-9]\d{0,9}$/.test(wanted))
    throw new RegistryRefusal(422, 42202, `The specified version '${wanted}' is not a valid version id.`)
  const found = versions.find((version) => version.version === Number(wanted))
  if (found === undefined) throw new RegistryRefusal(404, 40402, `Version ${wanted} not found.`)
  return found
}

function idIn({ parameters }: Asked): number {
  const id = parameters[0]!
  return /^\d{1,10}$/.test(id) ? Number(id) : -1
}

function textOf(asked: Asked): string {
  const text = asked.registry.table.textOf(idIn(asked))
  if (text === undefined) throw new RegistryRefusal(404, 40403, `Schema ${asked.parameters[0]} not found`)
  return text
}

function usesOf(asked: Asked): readonly RegisteredSchema[] {
  textOf(asked)
  return asked.registry.table.usesOf(idIn(asked))
}
