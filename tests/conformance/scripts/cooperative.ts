/** The shape of a cooperative rebalance (KIP-429): two rounds, nobody stops what it keeps. */

import {
  awaited,
  commit,
  committed,
  heartbeat,
  join,
  pending,
  script,
  start,
  sync,
  topic,
  transactional,
  txnOffsets,
  commitTxn,
} from '../steps.ts'
import type { Step } from '../steps.ts'

const says = (as: string, owned: string) => ({
  protocols: [['cooperative', `${as} owns ${owned}`]] as [string, string][],
})

const firstRound: Step[] = [
  join('m1', says('m1', 'nothing')),
  sync('m1', { m1: '0 1' }),
  start('m2 joins', join('m2', says('m2', 'nothing'))),
  heartbeat('m1'),
  join('m1', says('m1', '0 1')),
  awaited('m2 joins'),
  start('m2 syncs', sync('m2')),
  sync('m1', { m1: '0', m2: '' }),
  awaited('m2 syncs'),
]

const secondRound: Step[] = [
  start('m1 joins', join('m1', says('m1', '0'))),
  pending('m1 joins'),
  heartbeat('m2'),
  join('m2', says('m2', 'nothing')),
  awaited('m1 joins'),
  start('m2 syncs again', sync('m2')),
  sync('m1', { m1: '0', m2: '1' }),
  awaited('m2 syncs again'),
]

export const cooperative = [
  script('cooperative: hand-over in two rounds', firstRound, secondRound, heartbeat('m1'), heartbeat('m2')),
  script(
    'cooperative: what is kept is committed in the old generation while others join',
    topic('in', 2),
    join('m1', says('m1', 'nothing')),
    sync('m1', { m1: '0 1' }),
    start('m2 joins', join('m2', says('m2', 'nothing'))),
    commit([['in:0', 3, '']], { as: 'm1' }),
    join('m1', says('m1', '0 1')),
    awaited('m2 joins'),
    commit([['in:0', 4, '']], { as: 'm1' }),
    sync('m1', { m1: '0', m2: '' }),
    commit([['in:0', 5, '']], { as: 'm1' }),
    committed(['in:0']),
  ),
  script(
    'cooperative: a transaction over the rebalance commits with the new generation only',
    topic('in', 2),
    transactional('A'),
    join('m1', says('m1', 'nothing')),
    sync('m1', { m1: '0 1' }),
    start('m2 joins', join('m2', says('m2', 'nothing'))),
    txnOffsets('A', [['in:0', 1, '']], { as: 'm1' }),
    join('m1', says('m1', '0 1')),
    awaited('m2 joins'),
    txnOffsets('A', [['in:0', 2, '']], { as: 'm1', generation: -1 }),
    txnOffsets('A', [['in:0', 2, '']], { as: 'm1' }),
    sync('m1', { m1: '0', m2: '' }),
    txnOffsets('A', [['in:0', 3, '']], { as: 'm1' }),
    commitTxn('A'),
    committed(['in:0']),
  ),
  script(
    'cooperative: a partition that a member does not hold is committed all the same',
    topic('in', 2),
    firstRound,
    secondRound,
    commit([['in:0', 9, '']], { as: 'm2' }),
    committed(['in:0']),
  ),
]
