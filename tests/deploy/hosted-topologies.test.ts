/** Which applications a process hosts. */

import { expect, test } from 'vitest'
import type { StreamFoundation } from '../../deploy/foundation.ts'
import { hostedTopologies } from '../../deploy/streams/hosted-topologies.ts'
import { serviceSettings } from '../../deploy/streams/service-settings.ts'
import { documentData } from '../../processors/documents/content.ts'
import { services } from '../../processors/index.ts'
import { HandClock } from '../../topology/testing/index.ts'

const seller = {
  name: 'Acme',
  address: ['2 High Road'],
  registration: null,
  governingLaw: 'Ireland',
  jurisdiction: 'Dublin',
}
const foundation = (roles: readonly string[]): StreamFoundation =>
  ({
    config: { roles, services: 'all', seller },
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

test('documents are in the name, at the address and under the law of the configuration', () => {
  const { documents } = serviceSettings({ seller })
  const company = { company_name: 'Globex', domain: null }
  const nda = documentData(documents!, { document_type: 'nda', quote: null }, company, 0)
  expect(nda).toMatchObject({
    seller: { name: 'Acme', address: ['2 High Road'], registration: null },
    governing_law: 'Ireland',
    jurisdiction: 'Dublin',
  })
})
