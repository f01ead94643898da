/** What the effect worker does with a call whose task is given up, below what scenarios and the simulator can time. */

import { describe, expect, test } from 'vitest'
import type { Provider } from '../../../connectors/effects/index.ts'
import { effectsTopology } from '../../../connectors/effects/index.ts'
import { requestHeaders } from '../../../connectors/effects/request-headers.ts'
import type { AnyEvent } from '../../../schemas/index.ts'
import { researchEvents } from '../../../schemas/index.ts'
import type { AsyncNode } from '../../../topology/graph/nodes.ts'
import type { Serde } from '../../../topology/index.ts'

const request = {
  tenant_id: 'acme',
  call_id: 'call-1',
  provider: 'books',
  operation: 'search',
  attempt: 1,
  request: { title: 'Dune' },
} as unknown as AnyEvent

/** The operator that calls, of a worker whose codec needs until `prepared` to be able to read. */
function operatorOf(prepared: Promise<void>, asked: string[]): AsyncNode['operator'] {
  const codec: Required<Serde<AnyEvent>> = {
    serialize: () => Buffer.alloc(0),
    deserialize: () => request,
    prepare: () => prepared,
  }
  const provider: Provider = {
    name: 'books',
    account: 'main',
    mode: 'sandbox',
    repeat: 'may-repeat',
    rate: null,
    concurrency: 1,
    timeoutMs: 1000,
    call({ callId }) {
      asked.push(callId)
      return Promise.resolve({ class: 'ok', status: 200, output: null })
    },
  }
  const clock = { now: () => 1, after: () => () => undefined }
  const topology = effectsTopology({ providers: [provider], topics: [researchEvents], codec: () => codec, clock })
  const node = topology.subTopologies.flatMap(({ nodes }) => nodes).find(({ kind }) => kind === 'async')
  return (node as AsyncNode).operator
}

const record = {
  key: 'books|main',
  value: Buffer.from('encrypted'),
  timestamp: 1,
  headers: requestHeaders({ topic: researchEvents.name, key: Buffer.from('k'), provider: 'books', notBefore: 0 }),
}

describe('a call that was given up while its keys were fetched', () => {
  test.each([
    [true, []],
    [false, ['call-1']],
  ])('given up: %s, asks the provider for %j', async (givenUp, expected) => {
    const asked: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const up = new AbortController()
    const call = Promise.resolve(operatorOf(promise, asked).call(record, up.signal, undefined)).catch(
      (error: unknown) => error,
    )
    if (givenUp) up.abort()
    resolve()
    await call
    expect(asked).toEqual(expected)
  })
})
