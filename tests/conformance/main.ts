/** `npm run conformance`: the scripts through our client, on the Kafka that is asked for. Exit code 1 when one differs. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { kafkaJars, kafkaLacks, kafkaVersion, startKafka } from '../../deploy/local/kafka.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { allow } from '../../deploy/local/kafka-acls.ts'
import { certificateOf } from '../../deploy/local/kafka-security.ts'
import type { Kind } from './kafka-differences.ts'
import { expectedFrom, kafkaDifferences, reasons } from './kafka-differences.ts'
import { namesBegin, playOnKafka } from './kafka-run.ts'
import type { ConformanceArguments } from './kafka-run-arguments.ts'
import { readConformanceArguments, usage } from './kafka-run-arguments.ts'
import type { Access } from './kafka-stage.ts'
import type { Answer } from './normal-form.ts'
import { settings } from './record.ts'
import { readRecording } from './recording.ts'
import type { Script } from './steps.ts'
import { suite } from './suite.ts'

const user = 'application'
const password = 'of-the-application'
const recording = readRecording()

interface Found {
  readonly script: string
  readonly steps: readonly { step: number; asked: unknown; wanted: unknown; got: unknown }[]
}

/** @returns the exit code */
export async function conformance(
  options: ConformanceArguments,
  scripts: readonly Script[] = suite,
  say: (line: string) => void = console.log,
): Promise<number> {
  const lacks = await kafkaLacks()
  if (lacks !== null) throw new Error(lacks)
  const version = options.kafka ?? (await kafkaVersion())
  const scratch = await mkdtemp(join(tmpdir(), 'kafka-conformance-'))
  const kafka = await startKafka({
    directory: join(scratch, 'broker'),
    jars: await kafkaJars({ version }),
    settings,
    features: options.transactionVersion === null ? {} : { 'transaction.version': options.transactionVersion },
    ...(options.secured === null ? {} : { security: { users: { [user]: password }, certificates: scratch } }),
  })
  try {
    const access = await accessTo(kafka, options, scratch)
    const kinds = kindsOf(version, options)
    const expected = (script: Script): readonly Answer[] => expectedFrom(recording, script, kinds)
    const played = await playOnKafka(kafka, { scripts, access, expected })
    const found = scripts.flatMap((script) => differing(script, expected(script), played.get(script.name)))
    if (options.json !== null) await writeFile(options.json, JSON.stringify(found, null, 1))
    const of = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`
    const on = `${scripts.length} scripts on Kafka ${version}${of}`
    for (const line of reportOf(on, kinds, scripts, found)) say(line)
    return found.length === 0 ? 0 : 1
  } finally {
    await kafka.stop()
    await rm(scratch, { recursive: true, force: true })
  }
}

/** An application's kind of rights; Delete is what the scripts that delete records need. */
async function accessTo(kafka: Kafka, options: ConformanceArguments, scratch: string): Promise<Access> {
  const { secured, mechanism } = options
  if (secured === null) return { bootstrap: [kafka.bootstrap] }
  await allow(kafka, user, [
    { on: 'topic', name: namesBegin, isPrefix: true, may: ['Read', 'Write', 'Create', 'Delete'] },
    { on: 'group', name: namesBegin, isPrefix: true, may: ['Read'] },
    { on: 'transactional-id', name: namesBegin, isPrefix: true, may: ['Write'] },
  ])
  const sasl = { mechanism, username: user, password }
  if (secured === 'SASL_PLAINTEXT') return { bootstrap: [kafka.secured.plain], sasl }
  return { bootstrap: [kafka.secured.tls], sasl, tls: { ca: await readFile(certificateOf(scratch)) } }
}

function kindsOf(version: string, { transactionVersion, secured }: ConformanceArguments): readonly Kind[] {
  const isBefore4 = Number(version.split('.')[0]) < 4
  const kinds: Kind[] = []
  if (isBefore4 || (transactionVersion !== null && transactionVersion < '2')) kinds.push('transaction.version below 2')
  if (isBefore4) kinds.push('Kafka 3.9')
  if (secured !== null) kinds.push('secured')
  return kinds
}

function differing(script: Script, wanted: readonly Answer[], got: readonly Answer[] | Error | undefined): Found[] {
  if (got === undefined || got instanceof Error)
    return [{ script: script.name, steps: [{ step: -1, asked: null, wanted, got: String(got?.stack) }] }]
  const steps = script.steps
    .map((asked, step) => ({ step, asked, wanted: wanted[step], got: got[step] }))
    .filter((one) => JSON.stringify(one.wanted) !== JSON.stringify(one.got))
  return steps.length === 0 ? [] : [{ script: script.name, steps }]
}

/** @param on what was played where */
function reportOf(on: string, kinds: readonly Kind[], scripts: readonly Script[], found: readonly Found[]): string[] {
  const played = new Set(scripts.map(({ name }) => name))
  const listed = kinds.flatMap((kind) => Object.entries(kafkaDifferences[kind])).filter(([name]) => played.has(name))
  const counted = Map.groupBy(
    listed.flatMap(([, { why }]) => why),
    (reason) => reason,
  )
  const differs = found.flatMap(({ script, steps }) => [
    `DIFFERS ${script}`,
    ...steps.flatMap(({ step, asked, wanted, got }) => [
      `  ${step} ${JSON.stringify(asked)}`,
      `    wanted ${JSON.stringify(wanted)}`,
      `    got    ${JSON.stringify(got)}`,
    ]),
  ])
  const names = new Set(listed.map(([name]) => name))
  return [
    ...[...counted].map(([reason, of]) => `${of.length} as listed: ${reasons[reason]}`),
    ...differs,
    `${on}: ${names.size} answered otherwise as listed, ${found.length} otherwise`,
  ]
}

if (import.meta.main) {
  const options = readConformanceArguments(process.argv.slice(2))
  if (typeof options === 'string') {
    console.error(`${options}\n${usage}`)
    process.exitCode = 64
  } else {
    process.exitCode = await conformance(options).catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : String(error))
      return 1
    })
  }
}
