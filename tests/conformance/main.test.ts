/** What `npm run conformance` takes, and a short run of it: by TLS, with an application's rights and no others. */

import { expect, test } from 'vitest'
import { kafkaDifferences } from './kafka-differences.ts'
import { readConformanceArguments } from './kafka-run-arguments.ts'
import { conformance } from './main.ts'
import { whyNoKafka } from './record.ts'
import { suite } from './suite.ts'

const minutes = 60_000
const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`no script is played with rights: ${lacks}`)

const usual = { kafka: null, transactionVersion: null, secured: null, mechanism: 'SCRAM-SHA-512', json: null }

test.each([
  ['', usual],
  ['--kafka 3.9.2 --transaction-version 0', { ...usual, kafka: '3.9.2', transactionVersion: '0' }],
  ['--secured', { ...usual, secured: 'SASL_SSL' }],
  [
    '--secured --protocol SASL_PLAINTEXT --mechanism PLAIN',
    { ...usual, secured: 'SASL_PLAINTEXT', mechanism: 'PLAIN' },
  ],
  ['--kafka newest', '--kafka: newest is given; wanted such as 3.9.2'],
  ['--transaction-version 3', '--transaction-version: 3 is given; wanted 0, 1 or 2'],
  ['--secured --protocol SSL', '--protocol: SSL is given; wanted SASL_PLAINTEXT or SASL_SSL'],
  ['--mechanism PLAIN', '--protocol, --mechanism: given without --secured'],
])('the arguments %s', (line, read) => {
  expect(readConformanceArguments(line.split(' ').filter((word) => word !== ''))).toEqual(read)
})

test.skipIf(lacks !== null && !inCI)(
  `one script of each kind with a listener that asks and rights on its names alone${lacks === null ? '' : ` (${lacks})`}`,
  async () => {
    const kinds = new Set<string>()
    const differing = new Set(Object.keys(kafkaDifferences.secured))
    // Those that wait for time to pass are long.
    const scripts = suite.filter(({ name, steps }) => {
      const kind = name.split(':')[0]!
      const isShort = steps.every((step) => !('start' in step) && step.do !== 'wait' && step.do !== 'compact')
      const isNew = !kinds.has(kind) && isShort
      if (isNew) kinds.add(kind)
      return isNew || differing.has(name)
    })
    expect(scripts.length).toBeGreaterThan(12)
    const said: string[] = []
    const code = await conformance({ ...usual, mechanism: 'PLAIN', secured: 'SASL_SSL' }, scripts, (line) =>
      said.push(line),
    )
    expect(said.filter((line) => !/^\d/.test(line))).toEqual([])
    expect(said.at(-1)).toMatch(/\(secured\): 2 answered otherwise as listed, 0 otherwise$/)
    expect(code).toBe(0)
  },
  3 * minutes,
)
