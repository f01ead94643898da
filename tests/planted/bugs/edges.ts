/** Bugs where the log meets the world: databases, the outbox, schemas. */

import type { PlantedBug } from '../bug.ts'
import { bug, bySeeds } from '../bug.ts'

const providerCalls = 'tests/deploy/chaos-provider-calls.test.ts'
const transaction = 'tests/connectors/postgres/transaction.test.ts'

const run = 'sinks/projection-run.ts'

export const edgeBugs: readonly PlantedBug[] = [
  bug(
    'the number of an outbox batch is not committed with it',
    'api/relay/lead.ts',
    'await this.#producer.sendOffsets(membership, [offset])',
    'void offset',
    bySeeds('sign-ups'),
  ),
  bug(
    'rows of the outbox are sent before they are stamped',
    'api/relay/lead.ts',
    `      await rows.stamp(
        batch.map(({ id }) => id),
        number,
      )
      await this.#send(number, batch)`,
    `      await this.#send(number, batch)`,
    bySeeds('sign-ups'),
  ),
  bug(
    'a sink commits its offset in a second step',
    run,
    `    const outcome = await this.#options.tables.commit({`,
    `    await this.#options.tables.commit({
      claim: source.claim!,
      from,
      next: from,
      changes: records.flatMap(({ changes }) => changes),
    })
    const outcome = await this.#options.tables.commit({`,
    bySeeds('rows'),
  ),
  {
    name: 'a sink begins at the offset of its group, not at the one beside its rows',
    edits: [
      {
        file: 'sinks/assignment.ts',
        find: 'claimed(source, source.claim.nextOffset)',
        replace: `claimed(source, (await this.#options.log.committedOffsets('sink-' + this.#options.projection.name, [{ topic: this.topic.name, partition: source.partition }]))[0]?.offset ?? 0n)`,
      },
      {
        file: 'sinks/memory-tables.ts',
        find: `    if (kept.nextOffset !== from) return { kind: 'moved', nextOffset: kept.nextOffset }\n`,
        replace: '',
      },
    ],
    caughtBy: bySeeds('rows', 7),
  },
  bug(
    'an upsert of a sink does not look at the offset of the row',
    'sinks/statements.ts',
    'where excluded.src_offset > t.src_offset$',
    'where true$',
    { file: 'tests/sinks/postgres-tables.test.ts', test: 'P8: a change from an earlier record does not touch a row' },
  ),
  bug(
    'a sink that was taken over still writes',
    'sinks/memory-tables.ts',
    'kept === undefined || kept.epoch !== claim.epoch',
    'kept === undefined',
    {
      file: 'tests/sinks/memory-tables.test.ts',
      test: 'P2: the earlier owner is fenced by the next claim and writes nothing',
    },
  ),
  bug(
    'the transactional id of the relay is another one in each term',
    'api/relay/lead.ts',
    'openProducer({ transactionalId: relayName,',
    'openProducer({ transactionalId: `${relayName}-${options.clock.now()}`,',
    bySeeds('sign-ups', 5),
  ),
  bug(
    "ignore COMMIT's command tag",
    'connectors/postgres/transaction.ts',
    `if (tag !== 'COMMIT') throw`,
    `if (tag === '') throw`,
    { file: transaction, test: 'T1: COMMIT of a failed transaction' },
  ),
  bug(
    'the viewer is set for the session, not for the transaction',
    'connectors/postgres/transaction.ts',
    `select set_config('app.tenant', $1, true), set_config('app.user_id', $2, true), set_config('app.user_type', $3, true)`,
    `select set_config('app.tenant', $1, false), set_config('app.user_id', $2, false), set_config('app.user_type', $3, false)`,
    { file: transaction, test: 'T3: settings end with the transaction' },
  ),
  bug(
    'a client is given back to the pool after a failed ROLLBACK',
    'connectors/postgres/transaction.ts',
    'client.release(doubt)',
    'client.release()',
    { file: transaction, test: 'T2: a client whose ROLLBACK failed' },
  ),
  {
    name: 'the idempotency key is not scoped by tenant',
    edits: [
      {
        file: 'deploy/sql/0005_ingest.sql',
        find: 'primary key (tenant_id, idempotency_key)',
        replace: 'primary key (idempotency_key)',
      },
      {
        file: 'api/ingest/reservations.ts',
        find: `where tenant_id = $1 and idempotency_key = $2\``,
        replace: `where $1::uuid is not null and idempotency_key = $2\``,
      },
    ],
    caughtBy: { file: 'tests/api/ingest/idempotency.test.ts', test: 'another tenant under the same key' },
  },
  bug(
    'the cursor is not bound to its tenant',
    'api/query/reader.ts',
    `      const scope = [
        principal.tenantId,
        viewerOf(principal).userId,
`,
    '      const scope = [\n',
    { file: 'tests/api/query/query.test.ts', test: 'row 42: a cursor that was edited, borrowed' },
  ),
  // What the providers themselves must see.
  bug(
    'each try of a payment has a key of its own',
    'connectors/payments/operations.ts',
    '({ idempotencyKey: `${call.callId}${part}` })',
    '({ idempotencyKey: `${call.callId}${part}:${call.attempt}` })',
    { file: providerCalls, test: 'makes one of each' },
  ),
  bug(
    'each try of an envelope is a transaction of its own',
    'connectors/esign/envelope.ts',
    'transactionId: asked.transaction_id,',
    'transactionId: `${asked.transaction_id} ${performance.now()}`,',
    { file: providerCalls, test: 'makes one of each' },
  ),
  bug(
    'each try of a usage report is counted by a name of its own',
    'connectors/payments/operations.ts',
    `    identifier,
    timestamp:`,
    `    identifier: \`\${identifier}:\${exchange.call.attempt}\`,
    timestamp:`,
    { file: providerCalls, test: 'makes one of each' },
  ),
  bug(
    'a page is taken for the word that an envelope is voided',
    'connectors/esign/docusign.ts',
    `return made.safeParse(parseJson(answer.body)).success ? done(200, { status: 'voided' }) : unreadable`,
    `return done(200, { status: 'voided' })`,
    { file: providerCalls, test: 'makes one of each' },
  ),
]
