/**
 * The process that is killed: it sends what is planned and not known to be acknowledged, in order, until it is through. Its
 * standard output is its report; the pipe is written synchronously, so what it said before a kill has arrived.
 *
 *   ready        its client is open
 *   acked <n>    the n-th unit of the plan is acknowledged, whole
 *   done <json>  it has sent everything; what its clients counted
 */

import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { ClientOptions, EventClient, OpenTransport } from '../../../client/index.ts'
import { httpTransport, kafkaTransport, openClient, registeredSchemas } from '../../../client/index.ts'
import type { PlannedUnit } from './plan.ts'
import { eventsOf, planOf, producer, topic } from './plan.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** What the parent hands over, as a file: credentials do not stand on a command line. */
export interface ChildTask {
  readonly seed: number
  readonly events: number
  readonly unitEvents: number
  /** Indexes of units that the producer's own record calls acknowledged. */
  readonly acknowledged: readonly number[]
  readonly to:
    | { readonly via: 'http'; readonly url: string; readonly keys: readonly string[] }
    | {
        readonly via: 'kafka'
        readonly bootstrap: readonly string[]
        readonly registry: string
        readonly tenants: readonly { readonly tenantId: string; readonly organizationId: string }[]
      }
}

/** Units under way at once: enough that several requests are. */
const unitsAtOnce = 64

/** The client for each tenant: over HTTP one a key, over Kafka the same for all. */
async function openClients({ to }: ChildTask): Promise<readonly EventClient[]> {
  const open = (transport: OpenTransport, more: Partial<ClientOptions> = {}): Promise<EventClient> =>
    openClient({ name: producer, transport, notice: (line) => void process.stderr.write(`${line}\n`), ...more })
  if (to.via === 'http')
    return Promise.all(to.keys.map((credential) => open(httpTransport({ url: to.url, credential }))))
  const registry = registeredSchemas({ url: to.registry })
  const client = await open(kafkaTransport({ log: { bootstrap: to.bootstrap }, registry }))
  return to.tenants.map(() => client)
}

async function sendUnit({ seed, to }: ChildTask, clients: readonly EventClient[], unit: PlannedUnit): Promise<void> {
  const client = clients[unit.tenant]!
  const tenant = to.via === 'kafka' ? { tenant: to.tenants[unit.tenant]! } : {}
  const events = eventsOf(seed, unit).map((event) => ({ ...event, ...tenant }))
  if (unit.isBatch) await client.sendBatch(topic, events)
  else await Promise.all(events.map((event) => client.send(topic, event)))
}

async function main(task: ChildTask): Promise<void> {
  const clients = await openClients(task)
  say('ready')
  const known = new Set(task.acknowledged)
  const underWay = new Set<Promise<void>>()
  for (const [index, unit] of planOf(task.seed, task.events, task.unitEvents).entries()) {
    if (known.has(index)) continue
    const sent = sendUnit(task, clients, unit).then(() => {
      underWay.delete(sent)
      say(`acked ${index}`)
    })
    underWay.add(sent)
    if (underWay.size >= unitsAtOnce) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  const counted = [...new Set(clients)].map((client) => client.stats())
  for (const client of new Set(clients)) await client.close()
  say(`done ${JSON.stringify(counted)}`)
}

const { values } = parseArgs({ options: { task: { type: 'string' } } })
await main(JSON.parse(readFileSync(values.task ?? '', 'utf8')) as ChildTask)
