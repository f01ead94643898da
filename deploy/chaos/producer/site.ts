/** Where the producer sends to: a platform, or a broker with a registry beside it. Each reads back what stands there. */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { Log } from '../../../connectors/kafka/index.ts'
import { createMissing, openEmbeddedLog, openKafkaLog } from '../../../connectors/kafka/index.ts'
import { openEmbeddedRegistry, registryHandler } from '../../../connectors/registry/index.ts'
import type { SchemaRegistry } from '../../../schemas/index.ts'
import { communicationEvents, eventCodec } from '../../../schemas/index.ts'
import { freePort } from '../../local/free-port.ts'
import { kafkaJars, kafkaLacks, startKafka } from '../../local/kafka.ts'
import { machineClock, machineRandom } from '../../machine.ts'
import type { Instance } from '../instance.ts'
import { startInstance } from '../instance.ts'
import { signUpForKey } from './api-key.ts'
import type { ChildTask } from './child.ts'
import { tenantCount, topic } from './plan.ts'

export interface ProducerSite {
  readonly to: ChildTask['to']
  /** By the number of the tenant in the plan. */
  readonly tenantIds: readonly string[]
  /** Kills the platform and starts it again; false where there is none. */
  killPlatform(): Promise<boolean>
  /** Ends what must end before the topic is read, and opens what reads it. */
  openReader(): Promise<{ readonly log: Log; readonly registry: SchemaRegistry }>
  close(): Promise<void>
}

const machine = { clock: machineClock, random: machineRandom }

/** @param directory emptied before @throws Error with one line */
export async function openHttpSite(directory: string): Promise<ProducerSite> {
  // The embedded PostgreSQL may run under an account of its own, which must be able to pass.
  chmodSync(directory, 0o755)
  const [dataDir, logFile] = [join(directory, 'data'), join(directory, 'platform.log')]
  writeFileSync(logFile, '')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = {
    PORT: String(port),
    HOST: '127.0.0.1',
    DATA_DIR: dataDir,
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'warn',
  }
  let instance: Instance
  const start = async (): Promise<void> => {
    instance = startInstance({ url, settings, logFile })
    if (!(await instance.ready())) throw new Error(`the platform did not start; see ${logFile}`)
  }
  await start()
  const holders = []
  for (let tenant = 0; tenant < tenantCount; tenant++)
    holders.push(await signUpForKey(url, `ada@tenant-${tenant}.example`, `Tenant ${tenant}`))
  let reader: Log | null = null
  return {
    to: { via: 'http', url, keys: holders.map(({ key }) => key) },
    tenantIds: holders.map(({ tenantId }) => tenantId),
    async killPlatform() {
      await instance.kill()
      await start()
      return true
    },
    async openReader() {
      await instance.stop()
      reader = await openEmbeddedLog({
        ...machine,
        directory: join(dataDir, 'log'),
        fsync: 'interval',
        fsyncIntervalMs: 200,
        notice: () => undefined,
      })
      return { log: reader, registry: await openEmbeddedRegistry({ log: reader, clock: machineClock }) }
    },
    async close() {
      await instance.stop()
      await reader?.close()
    },
  }
}

/** @param directory emptied before @throws Error with one line */
export async function openKafkaSite(directory: string): Promise<ProducerSite> {
  const lacks = await kafkaLacks()
  if (lacks !== null) throw new Error(lacks)
  mkdirSync(directory, { recursive: true })
  const kafka = await startKafka({ directory: join(directory, 'kafka'), jars: await kafkaJars() })
  const bootstrap = kafka.bootstrap.split(',')
  const log = await openKafkaLog({ ...machine, bootstrap })
  await createMissing(log, [{ name: topic, partitions: 3, config: { 'retention.ms': '-1' } }])
  const registry = await openEmbeddedRegistry({ log, clock: machineClock })
  // As the platform does when it starts.
  await eventCodec(communicationEvents, { registry, keyRing: { load: () => Promise.resolve(), get: () => undefined } })
  const server = createServer(registryHandler(registry, { mayWrite: () => false }))
  const port = await freePort()
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  const tenants = Array.from({ length: tenantCount }, (_, tenant) => ({
    tenantId: `0a000000-0000-4000-8000-00000000000${tenant}`,
    organizationId: `0b000000-0000-4000-8000-00000000000${tenant}`,
  }))
  return {
    to: { via: 'kafka', bootstrap, registry: `http://127.0.0.1:${port}`, tenants },
    tenantIds: tenants.map(({ tenantId }) => tenantId),
    killPlatform: () => Promise.resolve(false),
    openReader: () => Promise.resolve({ log, registry }),
    async close() {
      server.closeAllConnections()
      server.close()
      await registry.close().catch(() => undefined)
      await log.close()
      await kafka.stop()
    },
  }
}
