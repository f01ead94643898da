/** For operators: the platform as a whole, over all tenants, without what is said about persons. */

import { z } from 'zod'
import type { Endpoint } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import type { DeadLetterOptions } from './dead-letters.ts'
import { deadLetterEndpoints } from './dead-letters.ts'
import { operatorEmail, operatorsOnly, requireOperator } from './operator.ts'
import { topologyView } from './platform-view.ts'
import type { BrowserOptions } from './topics.ts'
import { topicEndpoints } from './topics.ts'

export type OperatorOptions = BrowserOptions & DeadLetterOptions

export function operatorEndpoints(options: OperatorOptions): readonly Endpoint[] {
  const { operators, platform } = options
  return [
    endpoint({
      method: 'get',
      path: '/operator/access',
      summary: 'Whether you are an operator',
      tag: 'operator',
      auth: 'bearer',
      response: [{ status: 200, description: 'Yes or no', schema: z.object({ operator: z.boolean() }) }],
      handler: async ({ principal }) => ({
        status: 200,
        body: { operator: (await operatorEmail(operators, principal)) !== null },
      }),
    }),
    endpoint({
      method: 'get',
      path: '/operator/topology',
      summary: 'All applications, their parts, stores and topics, with state and lag',
      tag: 'operator',
      auth: 'bearer',
      response: [{ status: 200, description: 'As of now', schema: topologyView }, operatorsOnly],
      handler: async ({ principal }) => {
        await requireOperator(operators, principal)
        return { status: 200, body: await platform.topology() }
      },
    }),
    ...topicEndpoints(options),
    ...deadLetterEndpoints(options),
  ]
}

export { readAt } from './log-reader.ts'
export type { Operators } from './operator.ts'
export type * from './platform-view.ts'
