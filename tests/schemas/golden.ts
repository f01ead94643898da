/**
 * Every schema that was ever used stands in tests/golden/schemas, oldest version first, one file per subject. Run this file
 * to write new versions down; a version that would break old or new readers is refused.
 *
 *   node_modules/.bin/node tests/schemas/golden.ts
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { services } from '../../processors/index.ts'
import type { AvroSchema, Verdict } from '../../schemas/index.ts'
import { judgeSchema, judgeState, schemasOf, stateSchemas, topics } from '../../schemas/index.ts'

const folder = new URL('../golden/schemas/', import.meta.url)

export interface Judged {
  readonly subject: string
  readonly verdict: Verdict
  /** What would stand in the file. */
  readonly versions: readonly AvroSchema[]
}

function goldenOf(subject: string): readonly AvroSchema[] {
  const file = new URL(`${subject}.json`, folder)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as AvroSchema[]) : []
}

/** Every event type of every topic, then every state of every service. */
export function judgeAll(): readonly Judged[] {
  const events = topics.flatMap((topic) =>
    schemasOf(topic).map(({ subject, schema }) => {
      const golden = goldenOf(subject)
      return { subject, verdict: judgeSchema(golden, schema), versions: [...golden, schema] }
    }),
  )
  const states = services().flatMap((service) =>
    [...new Set(service.processors.map((processor) => processor.state))].map((state) => {
      const [subject, versions] = [`${service.name}-${state.store}-changelog`, stateSchemas(state)]
      return { subject, verdict: judgeState(goldenOf(subject), versions), versions }
    }),
  )
  return [...events, ...states]
}

/** Subjects that were written down and that nobody declares any more. */
export function forgotten(judged: readonly Judged[]): readonly string[] {
  const declared = new Set(judged.map(({ subject }) => `${subject}.json`))
  return readdirSync(folder).filter((file) => file.endsWith('.json') && !declared.has(file))
}

if (import.meta.main)
  for (const { subject, verdict, versions } of judgeAll()) {
    if (verdict.verdict === 'refused') console.error(`${subject}: refused\n  ${verdict.reasons.join('\n  ')}`)
    if (verdict.verdict !== 'new') continue
    writeFileSync(new URL(`${subject}.json`, folder), `${JSON.stringify(versions, null, 2)}\n`)
    console.log(`${subject}: version ${versions.length}`)
  }
