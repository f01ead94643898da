/** The OpenAPI 3.1 document, made from the same list the router mounts. */

import { z } from 'zod'
import type { ZodType } from 'zod'
import type { Endpoint, ResponseSpec } from './endpoint.ts'
import type { Operation } from './operations.ts'
import { strict } from './validate.ts'

export const apiBase = '/api/v1'

export type JsonSchema = Readonly<Record<string, unknown>>
type Document = Readonly<Record<string, unknown>>

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string().meta({ description: 'A stable word for programs', example: 'unknown_field' }),
  detail: z.string().meta({ description: 'One sentence for people' }),
  request_id: z.string(),
})

export function openApiDocument(
  endpoints: readonly Endpoint[],
  operations: readonly Operation[],
  version: string,
): Document {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) paths[operation.path] = { get: describeOperation(operation) }
  for (const endpoint of endpoints) {
    const path = apiBase + endpoint.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method]: describeEndpoint(endpoint) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Client lifecycle API', version, description },
    servers: [{ url: '/' }],
    tags: [...new Set(endpoints.map((endpoint) => endpoint.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: schemaOf(problemSchema, 'output') },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token, from login.' },
        api_key: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'lck_…',
          description: 'An API key, made by an owner.',
        },
      },
    },
  }
}

const description =
  'Errors are application/problem+json with a stable `code`. Commands answer with a `Position` header; a read that takes ' +
  '`min_position` waits for it, so that you read your own write. Every answer says what time it is for deadlines, in a ' +
  '`Business-Time` header: the machine’s time, but where business time is warped.'

function describeOperation({ summary, type }: Operation): Document {
  return {
    summary,
    tags: ['operations'],
    security: [],
    responses: { 200: { description: summary, content: { [type.split(';')[0]!]: {} } } },
  }
}

function describeEndpoint(endpoint: Endpoint): Document {
  const parameters = [...pathParameters(endpoint), ...queryParameters(endpoint)]
  return {
    summary: endpoint.summary,
    operationId: operationId(endpoint),
    tags: [endpoint.tag],
    security: securityOf(endpoint),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(endpoint.request === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(strict(endpoint.request)) } },
          },
        }),
    responses: { ...responses(endpoint.response), default: problemResponse('Any other failure') },
  }
}

/** `get /reviews/:review_id` is `get_reviews_by_review_id`. */
function operationId({ method, path }: Endpoint): string {
  return method + path.replace(/\/:/g, '/by_').replace(/[^a-z0-9]+/gi, '_')
}

/** The list beside `api_key` is the scope that the key needs. */
function securityOf({ auth, scope }: Endpoint): readonly Document[] {
  const key = { api_key: scope === undefined ? [] : [scope] }
  if (auth === 'none') return []
  if (auth === 'bearer') return [{ bearer: [] }]
  return auth === 'any' ? [{ bearer: [] }, key] : [key]
}

function pathParameters({ path }: Endpoint): Document[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

export function queryParameters({ query }: Endpoint): (Document & { readonly name: string })[] {
  if (query === undefined) return []
  const schema = schemaOf(strict(query), 'output')
  const required = (schema.required ?? []) as readonly string[]
  const inputRequired = new Set(
    ((schemaOf(strict(query)).required ?? []) as readonly string[]).filter((name) => required.includes(name)),
  )
  const properties = (schema.properties ?? {}) as Readonly<Record<string, JsonSchema>>
  return Object.entries(properties).map(([name, { description: text, ...rest }]) => ({
    name,
    in: 'query',
    required: inputRequired.has(name),
    ...(text === undefined ? {} : { description: text }),
    schema: rest,
  }))
}

function responses(list: readonly ResponseSpec[]): Document {
  return Object.fromEntries(
    list.map(({ status, description: text, schema, type = 'application/json' }) => [
      status,
      status >= 400
        ? problemResponse(text)
        : {
            description: text,
            ...(schema === undefined ? {} : { content: { [type]: { schema: schemaOf(schema, 'output') } } }),
          },
    ]),
  )
}

const problemResponse = (text: string): Document => ({
  description: text,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})

/** A zod schema as JSON Schema 2020-12, which is what OpenAPI 3.1 speaks. */
export function schemaOf(schema: ZodType, io: 'input' | 'output' = 'input'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' })
  return rest
}
