/** The API as one readable page: no script, nothing loaded, made from the list the router mounts. */

import type { Auth, Endpoint } from './endpoint.ts'
import { docsStyle } from './docs-style.ts'
import { exampleOf } from './example.ts'
import type { JsonSchema } from './openapi.ts'
import { apiBase, queryParameters, schemaOf } from './openapi.ts'
import type { Operation } from './operations.ts'

/** Stands in the page for the address it is read at. */
export const addressMark = '{address}'

export function docsPage(endpoints: readonly Endpoint[], operations: readonly Operation[], version: string): string {
  const tags = [...new Set(endpoints.map(({ tag }) => tag))]
  const sections = tags.map((tag) => section(tag, endpoints.filter((endpoint) => endpoint.tag === tag).map(card)))
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Client lifecycle API</title><style>${docsStyle}</style></head><body>
<nav><b>Client lifecycle API</b><small>version ${escape(version)}</small>
${tags.map((tag) => `<a href="#${slug(tag)}">${escape(tag)}</a>`).join('')}
<a href="#operations">operations</a><a href="/openapi.json">openapi.json</a></nav>
<main><h1>Client lifecycle API</h1>
<p class="lead">Events go in at <code>POST ${apiBase}/events</code>; what became of them is read everywhere else. Errors are
<code>application/problem+json</code> with a stable <code>code</code>. A command answers with a <code>Position</code> header;
give it to a read as <code>min_position</code> and you read your own write.</p>
<pre>BASE=${addressMark}
TOKEN=…   # access_token of POST ${apiBase}/auth/login
KEY=…     # an API key, made by an owner</pre>
${sections.join('\n')}
${section('operations', operations.map(operationCard))}
</main></body></html>`
}

const section = (title: string, cards: readonly string[]): string =>
  `<section id="${slug(title)}"><h2>${escape(title)}</h2>${cards.join('\n')}</section>`

function card(endpoint: Endpoint): string {
  const { method, path, summary, auth, response } = endpoint
  const rows = response.map(
    ({ status, description }) =>
      `<tr><td class="s${String(status)[0]!}">${String(status)}</td><td>${prose(description)}</td></tr>`,
  )
  return `<article><header><span class="m ${method}">${method.toUpperCase()}</span>
<code class="path">${pathHtml(apiBase + path)}</code><span class="auth">${authWords[auth]}</span></header>
<p>${prose(summary)}</p>${parameters(endpoint)}
<pre>${escape(curl(endpoint))}</pre>${answerExample(endpoint)}<table>${rows.join('')}</table></article>`
}

const operationCard = ({ path, summary }: Operation): string =>
  `<article><header><span class="m get">GET</span><code class="path">${escape(path)}</code></header>
<p>${prose(summary)}</p><pre>${escape(`curl "$BASE${path}"`)}</pre></article>`

const authWords: Readonly<Record<Auth, string>> = {
  none: 'open to anyone',
  bearer: 'access token',
  api_key: 'API key',
  any: 'API key or access token',
}

function parameters(endpoint: Endpoint): string {
  const list = queryParameters(endpoint)
  if (list.length === 0) return ''
  const rows = list.map(({ name, description, schema }) => {
    const words = [describeSchema(schema as JsonSchema), description].filter(
      (text) => typeof text === 'string' && text !== '',
    )
    return `<tr><td><code>${escape(name)}</code></td><td>${prose(words.join(' · '))}</td></tr>`
  })
  return `<table class="q">${rows.join('')}</table>`
}

function describeSchema(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  const bounds = [schema.minimum, schema.maximum].every((bound) => typeof bound === 'number' && Math.abs(bound) < 1e9)
  const range = bounds ? ` ${String(schema.minimum)} to ${String(schema.maximum)}` : ''
  const usual = schema.default === undefined ? '' : `, ${JSON.stringify(schema.default)} unless told`
  return `${typeof schema.type === 'string' ? schema.type : ''}${range}${usual}`
}

/** A command to paste into a shell. */
export function curl(endpoint: Endpoint): string {
  const { method, path, auth, request } = endpoint
  const parts = [method === 'get' ? 'curl' : `curl -X ${method.toUpperCase()}`]
  parts.push(`"$BASE${apiBase}${path.replace(/:(\w+)/g, (_, name: string) => `$${name.toUpperCase()}`)}"`)
  if (auth !== 'none') parts.push(`-H "Authorization: Bearer $${auth === 'bearer' ? 'TOKEN' : 'KEY'}"`)
  if (request !== undefined) {
    const body = JSON.stringify(exampleOf(schemaOf(request)), null, 2).replaceAll("'", "'\\''")
    parts.push(`-H 'Content-Type: application/json'`, `-d '${body}'`)
  }
  return parts.join(' \\\n  ')
}

function answerExample({ response }: Endpoint): string {
  const schema = response.find(({ status }) => status < 300)?.schema
  if (schema === undefined) return ''
  const example = JSON.stringify(exampleOf(schemaOf(schema, 'output')), null, 2)
  return `<details><summary>answer</summary><pre>${escape(example)}</pre></details>`
}

const slug = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '-')
const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!)
const prose = (text: string): string => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>')
const pathHtml = (path: string): string => escape(path).replace(/:(\w+)/g, '<i>:$1</i>')
