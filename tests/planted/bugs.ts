/**
 * Bugs that others have had, planted one at a time in a copy of the source; each must be caught. A test suite that has never
 * failed proves nothing.
 *
 * `seeds`: the simulator finds it within so many seeds. `test`: a named test fails.
 */

export interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  readonly edits: readonly Edit[]
  readonly caughtBy:
    { readonly seeds: number; readonly program?: string } | { readonly file: string; readonly test: string }
}

const bug = (
  name: string,
  file: string,
  find: string,
  replace: string,
  caughtBy: PlantedBug['caughtBy'],
): PlantedBug => ({ name, edits: [{ file, find, replace }], caughtBy })

export const plantedBugs: readonly PlantedBug[] = [
  bug(
    "ignore COMMIT's command tag",
    'connectors/postgres/transaction.ts',
    `if (tag !== 'COMMIT') throw`,
    `if (tag === '') throw`,
    { file: 'tests/connectors/postgres/transaction.test.ts', test: 'T1: COMMIT of a failed transaction' },
  ),
  bug(
    'the viewer is set for the session, not for the transaction',
    'connectors/postgres/transaction.ts',
    `select set_config('app.tenant', $1, true), set_config('app.user_id', $2, true), set_config('app.user_type', $3, true)`,
    `select set_config('app.tenant', $1, false), set_config('app.user_id', $2, false), set_config('app.user_type', $3, false)`,
    { file: 'tests/connectors/postgres/transaction.test.ts', test: 'T3: settings end with the transaction' },
  ),
  bug(
    'a client is given back to the pool after a failed ROLLBACK',
    'connectors/postgres/transaction.ts',
    'client.release(doubt)',
    'client.release()',
    { file: 'tests/connectors/postgres/transaction.test.ts', test: 'T2: a client whose ROLLBACK failed' },
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
    'const scope = [principal.tenantId, principal.userId, list,',
    'const scope = [list,',
    { file: 'tests/api/query/query.test.ts', test: 'row 42: a cursor that was edited, borrowed' },
  ),
]
