/** All conformance scripts, in the order of the recording. */

import { compaction } from './scripts/compaction.ts'
import { cooperative } from './scripts/cooperative.ts'
import { deletes } from './scripts/delete-records.ts'
import { fencing } from './scripts/fencing.ts'
import { groups } from './scripts/groups.ts'
import { isolation } from './scripts/isolation.ts'
import { offsets, txnOffsetScripts } from './scripts/offsets.ts'
import { produceAndFetch } from './scripts/produce-and-fetch.ts'
import { sequences } from './scripts/sequences.ts'
import { staticMembers } from './scripts/static-members.ts'
import { topics } from './scripts/topics.ts'
import { transactionTimeout } from './scripts/transaction-timeout.ts'
import { transactions } from './scripts/transactions.ts'
import type { Script } from './steps.ts'

export const suite: readonly Script[] = [
  topics,
  produceAndFetch,
  sequences,
  transactions,
  isolation,
  fencing,
  transactionTimeout,
  offsets,
  txnOffsetScripts,
  groups,
  staticMembers,
  cooperative,
  deletes,
  compaction,
].flat()
