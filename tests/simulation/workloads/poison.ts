/**
 * Bad records and a set-aside store. A `bad` record fails until somebody repairs what it needs, a `cursed` one always; bytes
 * that cannot be read fail too. A blocked key's later records wait in order; an operator redrives them after the heal,
 * and gives the cursed ones up. Then each key's ledger is that of all its other records, in order.
 */

import type { NodeProcessor, Serde, StreamRecord, Topology } from '../../../topology/index.ts'
import { BadRecord, TopologyBuilder, noHeaders, stringSerde } from '../../../topology/index.ts'
import type { Worker } from '../../../topology/index.ts'
import type { Evidence, ProgramFactory, SeenRecord, Violation } from '../program.ts'
import { Ids, eventTime, keyOf } from './keys.ts'
import { firstDifference, foldLedger, idOf, lineOf, textOf } from './ledger-model.ts'
import { kept, startWorker } from './stream-program.ts'

/** Text that refuses what begins with garbage. */
const readable: Serde<string> = {
  serialize: (value, key) => stringSerde.serialize(value, key),
  deserialize(bytes, key) {
    const value = stringSerde.deserialize(bytes, key)
    if (value.endsWith('|garbage')) throw new BadRecord('bad_frame', 'garbage')
    return value
  },
}

interface Repair {
  done: boolean
}

const isCursed = (value: string): boolean => value.endsWith('|cursed') || value.endsWith('|garbage')
const isBad = (value: string): boolean => value.endsWith('|bad')

const step = (repair: Repair) => (): NodeProcessor => ({
  process(record, context) {
    const { key, value, timestamp } = record as StreamRecord<string, string>
    const keyBytes = Buffer.from(key)
    const row = context.store('ledgers').get(keyBytes)?.toString() ?? null
    const next = foldLedger(row, idOf(value))
    context.store('ledgers').put(keyBytes, Buffer.from(next))
    context.forward({ key, value: next, timestamp, headers: noHeaders })
    // Half done on purpose: the step's writes and outputs must leave nothing (R4).
    if (isCursed(value) || (isBad(value) && !repair.done)) throw new Error(`the step cannot take ${value}`)
  },
})

const topology = (repair: Repair): Topology =>
  new TopologyBuilder('poison')
    .source('incidents', { topic: 'incidents', key: stringSerde, value: readable })
    .store('ledgers')
    .store('aside', { kind: 'set-aside' })
    .processor('ledger', { parents: ['incidents'], stores: ['ledgers', 'aside'], supplier: step(repair) })
    .sink('out', { parents: ['ledger'], topics: ['incident-ledger'], key: stringSerde, value: stringSerde })
    .build()

/** An operator at work: redrives every blocked key, and gives up what fails again. */
async function redriveAll(worker: Worker, repair: Repair): Promise<void> {
  if (!repair.done) return
  for (const application of worker.applications)
    for (const { key } of application.blocked()) {
      const left = await application.redrive(Buffer.from(key), { skipFirst: false })
      if (left > 0) await application.redrive(Buffer.from(key), { skipFirst: true })
    }
}

export const poison: ProgramFactory = ({ partitions, runtime, chance }) => {
  const ids = new Ids()
  const repair: Repair = { done: false }
  const share = chance.of([0.02, 0.06, 0.15])
  return {
    name: 'poison',
    topics: [kept('incidents', partitions), kept('incident-ledger', partitions)],
    groups: [{ group: 'poison', topics: ['incidents'] }],
    crashPoints: [['C13']],
    start: (machine) => startWorker(machine, runtime, [topology(repair)], (worker) => redriveAll(worker, repair)),
    healed: () => (repair.done = true),
    generate(feed, nowMs, pick) {
      const kind = (): string => (pick.chance(share) ? pick.of(['bad', 'bad', 'cursed', 'garbage']) : 'good')
      feed.send(
        Array.from({ length: 1 + pick.below(12) }, () =>
          ids.record('incidents', keyOf(pick, 14), eventTime(pick, nowMs), kind()),
        ),
      )
    },
    unfinished: (evidence) => differences(evidence, partitions)[0] ?? null,
    check: (evidence) => [
      ...differences(evidence, partitions).map((what): Violation => ({ invariant: 'I2', what })),
      ...Array.from({ length: partitions }, (_, partition) => checkLetters(evidence, partition)).flat(),
    ],
  }
}

/** Keys whose ledger is not that of their good records. */
function differences(evidence: Evidence, partitions: number): string[] {
  const found: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const outputs = byKey(evidence.committed('incident-ledger', partition))
    for (const [key, records] of byKey(evidence.committed('incidents', partition))) {
      let row: string | null = null
      const wanted = records
        .filter(({ value }) => !isCursed(textOf(value)))
        .map(({ value }) => ({ key, value: (row = foldLedger(row, idOf(textOf(value)))) }))
      const given = (outputs.get(key) ?? []).map(lineOf)
      const at = firstDifference(wanted, given)
      if (at !== null)
        found.push(`the ledger of ${key} differs at ${at}: ${given[at]?.value} instead of ${wanted[at]?.value}`)
    }
  }
  return found
}

/** I12: the first bad record of a key has a dead letter, and no good record has one. */
function checkLetters(evidence: Evidence, partition: number): Violation[] {
  const letters = new Set(evidence.committed('incidents.dlq', partition).map(({ value }) => textOf(value)))
  const violations: Violation[] = []
  for (const [key, records] of byKey(evidence.committed('incidents', partition))) {
    const values = records.map(({ value }) => textOf(value))
    const firstCursed = values.find((value) => isCursed(value))
    const anyLetter = values.some((value) => letters.has(value))
    if (firstCursed !== undefined && !anyLetter)
      violations.push({ invariant: 'I12', what: `key ${key} has the bad record ${firstCursed} and no dead letter` })
    for (const value of values)
      if (letters.has(value) && !isCursed(value) && !isBad(value))
        violations.push({ invariant: 'I12', what: `the good record ${value} of ${key} was dead-lettered` })
  }
  return violations
}

function byKey(records: readonly SeenRecord[]): Map<string, SeenRecord[]> {
  const keys = new Map<string, SeenRecord[]>()
  for (const record of records) {
    const key = textOf(record.key)
    const list = keys.get(key)
    if (list === undefined) keys.set(key, [record])
    else list.push(record)
  }
  return keys
}
