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
  [['worker'], model, all],
  [['effects'], model, ['effects', 'demo-chat']],
  [['effects'], null, ['effects']],
  [['worker', 'effects'], model, [...all, 'effects', 'demo-chat']],
  [['api', 'sinks'], model, []],
] as const)('roles %j host their applications; without a model no agent', (roles, spoken, expected) => {
  expect(hostedTopologies(foundation(roles), [], spoken).map(({ name }) => name)).toEqual(expected)
})
