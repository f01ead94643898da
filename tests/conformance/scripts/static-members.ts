/** Static members (KIP-345, KIP-814): a place that outlives the process, and fences who still claims it. */

import {
  awaited,
  commit,
  describeGroup,
  heartbeat,
  join,
  leave,
  pending,
  script,
  start,
  sync,
  topic,
  transactional,
  txnOffsets,
  wait,
} from '../steps.ts'
import type { Step } from '../steps.ts'

const one = { instanceId: 'one' }
const alone: Step[] = [join('m1', one), sync('m1', { m1: 'all' })]

/** m1 is `one` and leads, m2 is `two`. */
const pair: Step[] = [
  ...alone,
  start('m2 joins', join('m2', { instanceId: 'two' })),
  join('m1'),
  awaited('m2 joins'),
  start('m2 syncs', sync('m2')),
  sync('m1', { m1: 'left', m2: 'right' }),
  awaited('m2 syncs'),
]

export const staticMembers = [
  script('static: joins without asking for an id first', join('m1', { ...one, once: true }), sync('m1', { m1: 'all' }), describeGroup()),
  script('static: a follower comes back with a new id, and nothing moves', pair, join('again', { instanceId: 'two', protocols: [['range', 'm2 metadata']] }), sync('again'), heartbeat('m1'), heartbeat('again'), describeGroup()),
  script('static: the leader comes back and must not share out anew', pair, join('again', { ...one, protocols: [['range', 'm1 metadata']] }), sync('again'), heartbeat('m2'), heartbeat('again'), describeGroup()),
  script('static: alone and back', alone, join('again', { ...one, protocols: [['range', 'm1 metadata']] }), sync('again'), describeGroup()),
  script('static: a follower back with other metadata is answered at once all the same', pair, start('joins', join('again', { instanceId: 'two', protocols: [['range', 'changed']] })), pending('joins'), heartbeat('m1'), join('m1'), awaited('joins')),
  script('static: alone and back with other metadata', alone, join('again', { ...one, protocols: [['range', 'changed']] }), sync('again', { again: 'new' }), describeGroup()),
  script(
    'static: who was replaced is fenced',
    topic('in'),
    transactional('A'),
    pair,
    join('again', { instanceId: 'two', protocols: [['range', 'm2 metadata']] }),
    heartbeat('m2'),
    sync('m2'),
    commit([['in:0', 1, '']], { as: 'm2' }),
    txnOffsets('A', [['in:0', 1, '']], { as: 'm2' }),
    leave('m2'),
    join('m2'),
  ),
  script('static: the right id with the wrong instance', topic('in'), pair, heartbeat('m1', { instanceId: 'two' }), commit([['in:0', 1, '']], { as: 'm1', instanceId: 'two' })),
  script('static: an instance that is not known', pair, heartbeat('m1', { instanceId: 'three' }), sync('m1', {}, { instanceId: 'three' })),
  script('static: a known id without its instance', topic('in'), pair, heartbeat('m1', { instanceId: null }), commit([['in:0', 1, '']], { as: 'm1', instanceId: null })),
  script('static: an invented id under a known instance', alone, join('m2', { ...one, memberId: 'invented' }), heartbeat('m1')),
  script('static: an id under an instance that is not known', alone, join('m2', { instanceId: 'three', memberId: 'invented' }), heartbeat('m1')),
  script('static: leaves by its instance alone', pair, leave('m2', { memberId: '' }), heartbeat('m1'), describeGroup()),
  script('static: leaves with its id and instance', pair, leave('m2'), heartbeat('m1'), heartbeat('m2')),
  script('static: an unknown instance leaves', pair, leave('m1', { memberId: '', instanceId: 'three' }), heartbeat('m1')),
  script('static: the session timeout ends its place', join('m1', { ...one, sessionMs: 1_500 }), sync('m1', { m1: 'all' }), wait(3_500), describeGroup(), heartbeat('m1'), join('again', one), sync('again', { again: 'all' })),
  script('static: back within the session timeout keeps the place', join('m1', { ...one, sessionMs: 3_000 }), sync('m1', { m1: 'all' }), wait(1_000), join('again', { ...one, sessionMs: 3_000, protocols: [['range', 'm1 metadata']] }), sync('again'), describeGroup()),
  script('static: back while the group waits for it', pair, start('m1 joins', join('m1', { protocols: [['range', 'm1 changed']] })), pending('m1 joins'), start('joins', join('again', { instanceId: 'two', protocols: [['range', 'm2 metadata']] })), awaited('m1 joins'), awaited('joins')),
  script('static: beside a dynamic member', alone, start('m2 joins', join('m2')), join('m1'), awaited('m2 joins'), start('m2 syncs', sync('m2')), sync('m1', { m1: 'a', m2: 'b' }), awaited('m2 syncs'), describeGroup()),
  script('static: again with its id, same metadata, as follower', pair, join('m2'), heartbeat('m1'), describeGroup()),
]
