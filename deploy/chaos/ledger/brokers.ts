/** The Kafka that a run has for itself, and the proxies between it and the processes. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from '../../local/kafka.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../local/kafka.ts'
import { applicationRights } from '../../kafka-rights.ts'
import { allow } from '../../local/kafka-acls.ts'
import { machineClock } from '../../machine.ts'
import type { Asked } from '../arguments.ts'
import { Faults } from '../proxy/faults.ts'
import { KafkaProxy } from '../proxy/kafka-proxy.ts'
import { auditProgram, ledgerProgram } from './programs.ts'

export interface Brokers {
  readonly kafka: Kafka
  /** What goes wrong on the way: nothing, unless it is armed. */
  readonly faults: Faults
  /** Where the checker finds them: directly. */
  readonly direct: string
  /** Where processes do: through the proxies, or by their name and password where rights are asked for. */
  readonly proxied: string
  stop(): Promise<void>
}

/**
 * Members die quickly there, and brokers are missed soon. Where brokers die there are three: one that is alone and comes back
 * may have lost the markers of a transaction that it had decided (Kafka 4.3.1), and then nobody can read on.
 */
const settings = {
  'group.min.session.timeout.ms': '500',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}

/** @param isResumed goes on with those of a run before, in its directory. @throws Error with one line */
export async function openBrokers(directory: string, asked: Asked, isResumed: boolean): Promise<Brokers> {
  const lacks = await kafkaLacks()
  if (lacks !== null) throw new Error(lacks)
  const faults = new Faults()
  const [own, jars] = [join(directory, 'kafka'), await kafkaJars()]
  const proxies: KafkaProxy[] = []
  const nodes = asked.brokerKills > 0 ? 3 : 1
  while (proxies.length < nodes) proxies.push(await KafkaProxy.listen(faults))
  const proxyPorts = proxies.map(({ port }) => port)
  const features = { 'transaction.version': String(asked.transactionVersion) }
  const security = asked.secured ? { security: { users: { [user.name]: user.password } } } : {}
  // Kept from the first slice on: what is kept is given the time to end in order.
  const kept = { directory: own, keep: true }
  const kafka = await startKafka({ ...kept, jars, nodes, settings, features, proxyPorts, ...security })
  if (asked.secured && !isResumed) await allow(kafka, user.name, programRights())
  kafka.nodes.forEach(({ proxied }, index) => (proxies[index]!.brokerPort = proxied?.port ?? 0))
  return {
    ...{ kafka, faults, direct: kafka.bootstrap },
    proxied: asked.secured
      ? `${user.name}:${user.password}@${kafka.secured.plain}`
      : proxies.map(({ port }) => `127.0.0.1:${port}`).join(','),
    stop: async () => {
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await kafka.stop()
    },
  }
}

/** Who the processes are, where that is asked. */
const user = { name: 'ledger', password: 'of-the-ledger' }

const programRights = (): ReturnType<typeof applicationRights> =>
  [ledgerProgram(), auditProgram(machineClock, () => 0)].flatMap((program) => applicationRights(program, true))

/** One after the other, each away for a while. @param nth which of them it is this time */
export async function bounceBroker({ kafka }: Brokers, nth: number, awayMs: number): Promise<void> {
  const node = kafka.nodes[nth % kafka.nodes.length]!
  node.kill()
  await node.stop()
  await sleep(awayMs)
  await node.start()
}
