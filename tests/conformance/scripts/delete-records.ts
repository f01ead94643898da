/** deleteRecords: the log start moves, and what lies before is gone for every reader. */

import {
  abortTxn,
  commitTxn,
  consume,
  deleteRecords,
  fetchAll,
  fetchCommitted,
  idempotent,
  offsetOf,
  produce,
  script,
  topic,
  transactional,
} from '../steps.ts'

const written = [topic('in'), idempotent('A'), produce('A', 'in:0', 'a=1 b=2 c=3'), produce('A', 'in:0', 'd=4 e=5')]

export const deletes = [
  script('delete: the start moves', written, deleteRecords('in:0', 3), offsetOf('in:0', 'earliest'), fetchAll('in:0', 3), fetchAll('in:0', 0)),
  script('delete: into the middle of a batch', written, deleteRecords('in:0', 1), offsetOf('in:0', 'earliest'), fetchAll('in:0', 1), fetchAll('in:0', 0), consume('in:0', 1)),
  script('delete: everything', written, deleteRecords('in:0', 5), offsetOf('in:0', 'earliest'), fetchAll('in:0', 5), produce('A', 'in:0', 'f=6'), fetchAll('in:0', 5)),
  script('delete: -1 is everything', written, deleteRecords('in:0', -1), offsetOf('in:0', 'earliest'), offsetOf('in:0', 'latest')),
  script('delete: beyond the end', written, deleteRecords('in:0', 6), offsetOf('in:0', 'earliest')),
  script('delete: less than before changes nothing', written, deleteRecords('in:0', 4), deleteRecords('in:0', 2), offsetOf('in:0', 'earliest')),
  script('delete: a partition that does not exist', written, deleteRecords('in:7', 1)),
  script('delete: a compacted topic refuses', topic('in', 1, { 'cleanup.policy': 'compact' }), idempotent('A'), produce('A', 'in:0', 'a=1'), deleteRecords('in:0', 1)),
  script('delete: a compacted and deleted topic takes it', topic('in', 1, { 'cleanup.policy': 'compact,delete' }), idempotent('A'), produce('A', 'in:0', 'a=1 b=2'), deleteRecords('in:0', 1), offsetOf('in:0', 'earliest')),
  script(
    'delete: past the first record of an open transaction',
    topic('in'),
    transactional('A'),
    idempotent('I'),
    produce('A', 'in:0', 'a=1'),
    produce('I', 'in:0', 'i=1 i=2'),
    deleteRecords('in:0', 2),
    offsetOf('in:0', 'earliest'),
    offsetOf('in:0', 'stable'),
    fetchCommitted('in:0', 2),
    commitTxn('A'),
    offsetOf('in:0', 'stable'),
    fetchAll('in:0', 2),
    consume('in:0', 2),
  ),
  script(
    'delete: into an aborted transaction',
    topic('in'),
    transactional('A'),
    produce('A', 'in:0', 'a=1 a=2'),
    produce('A', 'in:0', 'a=3'),
    abortTxn('A'),
    produce('A', 'in:0', 'a=4'),
    commitTxn('A'),
    deleteRecords('in:0', 2),
    fetchCommitted('in:0', 2),
    consume('in:0', 2),
  ),
]
