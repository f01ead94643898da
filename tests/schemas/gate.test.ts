/**
 * Every schema that was ever used stands in tests/golden/schemas, oldest first, one file per subject. A change is made by
 * `UPDATE=1`, which writes a new version down when it is compatible and refuses when it is not.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { services } from '../../processors/index.ts'
import type { AvroSchema, Verdict } from '../../schemas/index.ts'
import { judgeSchema, judgeState, schemasOf, stateSchemas, topics } from '../../schemas/index.ts'

const folder = new URL('../golden/schemas/', import.meta.url)
const update = process.env.UPDATE === '1'
const judged = new Set<string>()

function goldenOf(name: string): readonly AvroSchema[] {
  const file = new URL(`${name}.json`, folder)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as AvroSchema[]) : []
}

/** Fails on a refusal, and on a new version that nobody wrote down. */
function settle(name: string, verdict: Verdict, versions: readonly AvroSchema[]): void {
  judged.add(`${name}.json`)
  if (verdict.verdict === 'new' && update)
    writeFileSync(new URL(`${name}.json`, folder), JSON.stringify(versions, null, 2) + '\n')
  else if (verdict.verdict === 'new')
    expect.fail(`${name} has a new version: run the tests with UPDATE=1 to write it down`)
  else if (verdict.verdict === 'refused')
    expect.fail(`${name} would break old or new readers:\n${verdict.reasons.join('\n')}`)
}

describe.each(topics.map((topic) => topic.name))('%s', (name) => {
  const topic = topics.find((candidate) => candidate.name === name)!
  test.each(schemasOf(topic).map(({ subject, schema }) => [subject, schema] as const))('%s', (subject, schema) => {
    const golden = goldenOf(subject)
    settle(subject, judgeSchema(golden, schema), [...golden, schema])
  })
})

const states = services().flatMap((service) =>
  [...new Set(service.processors.map((processor) => processor.state))].map(
    (state) => [`${service.name}-${state.store}-changelog`, stateSchemas(state)] as const,
  ),
)

describe('states', () => {
  test.each(states)('%s', (name, versions) => {
    settle(name, judgeState(goldenOf(name), versions), versions)
  })
})

afterAll(() => {
  const left = readdirSync(folder).filter((file) => file.endsWith('.json') && !judged.has(file))
  // What stands on a topic is read for ever.
  expect(left, 'schemas that were used and are no longer declared').toEqual([])
})
