/** Which applications a process hosts. */

import { expect, test } from 'vitest'
import type { StreamFoundation } from '../../deploy/foundation.ts'
import { hostedTopologies } from '../../deploy/streams/hosted-topologies.ts'
import { services } from '../../processors/index.ts'
import { HandClock } from '../../topology/testing/index.ts'

const foundation = (roles: readonly string[]): StreamFoundation =>
  ({
    config: { roles, services: 'all' },
    keyRing: { load: () => Promise.resolve(), get: () => undefined },
    codec: () => ({ prepare: () => Promise.resolve() }),
    time: new HandClock(),
  }) as unknown as StreamFoundation

const model = { complete: () => Promise.reject(new Error('not to be asked')) }
const all = services().map(({ name }) => name)

test.each([
  [['worker'], all],
  [['effects'], ['effects', 'demo-chat']],
  [
    ['worker', 'effects'],
    [...all, 'effects', 'demo-chat'],
  ],
  [['api', 'sinks'], []],
] as const)('roles %j host their applications', (roles, expected) => {
  expect(hostedTopologies(foundation(roles), [], model).map(({ name }) => name)).toEqual(expected)
})
