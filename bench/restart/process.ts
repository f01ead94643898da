/**
 * The program as a process of its own: the engine on Kafka, as the product runs it. What it says, a line each:
 *
 *   running             its first assignment is open
 *   open, close <task>  a task's state
 *   restored <n>        changelog records that a task had to read
 *   vitals <json>       with --vitals, every few seconds: what it has of the machine
 */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { openKafkaLog } from '../../connectors/kafka/index.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import type { StateDatabaseSupplier } from '../../state-stores/index.ts'
import { StateBudget, rocksDatabases } from '../../state-stores/index.ts'
import { Worker, defaultRuntimeSettings } from '../../topology/index.ts'
import { keepProgram, partitions } from './program.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    ...{ bootstrap: text, directory: text, id: text, application: text, input: text, output: text },
    ...{ standbys: text, 'leave-on-close': { type: 'boolean' }, vitals: { type: 'boolean' }, 'block-cache-mib': text },
  },
})
const { bootstrap = '', directory = '', id = '', application = '', input = '', output = '' } = values

const say = (line: string): void => void process.stdout.write(`${line}\n`)

function notice(line: string): void {
  const restored = /restored (\d+) changelog records/.exec(line)
  if (restored !== null) say(`restored ${restored[1]}`)
  process.stderr.write(`${new Date().toISOString()} ${line}\n`)
}

/** Says which task's state is opened and closed. */
function traced(databases: StateDatabaseSupplier): StateDatabaseSupplier {
  return Object.assign(Object.create(databases) as StateDatabaseSupplier, {
    async open(path: string) {
      const database = await databases.open(path)
      say(`open ${path}`)
      const close = async (): Promise<void> => {
        say(`close ${path}`)
        await database.close()
      }
      return new Proxy(database, {
        get(target, name) {
          const value: unknown = name === 'close' ? close : Reflect.get(target, name, target)
          return typeof value === 'function' && name !== 'close' ? (value.bind(target) as unknown) : value
        },
      })
    },
    list: (path: string) => databases.list?.(path),
    wipe: (path: string) => databases.wipe(path),
  })
}

const log = await openKafkaLog({
  bootstrap: bootstrap.split(','),
  clock: machineClock,
  random: machineRandom,
  notice,
})
const databases = rocksDatabases({
  directory: join(directory, 'state'),
  databases: partitions,
  blockCacheBytes: Number(values['block-cache-mib'] ?? 64) * 1024 * 1024,
  writeBufferBytes: 64 * 1024 * 1024,
  notice,
})
const worker = new Worker({
  topologies: [keepProgram({ application, input, output })],
  log,
  databases: traced(databases),
  budget: new StateBudget({
    bytes: 256 * 1024 * 1024,
    flushBytes: 16 * 1024 * 1024,
    flushMs: 5_000,
    now: () => machineClock.now(),
  }),
  clock: machineClock,
  watch: () => performance.now(),
  settings: {
    ...defaultRuntimeSettings,
    sessionTimeoutMs: 45_000,
    staticMembership: true,
    standbyReplicas: Number(values.standbys ?? 0),
    leaveOnClose: values['leave-on-close'] === true,
  },
  processId: id,
  workerIndex: 0,
  notice,
  failed: (error) => {
    notice(`cannot go on: ${error.message}`)
    process.exit(70)
  },
})

process.once('SIGTERM', () => {
  void worker
    .close()
    .then(() => databases.close())
    .then(() => log.close())
    .then(() => process.exit(0))
})
await worker.start()
say('running')

export interface Vitals {
  readonly rssMiB: number
  readonly heapMiB: number
  /** Buffers and what else is outside the heap and known to it. */
  readonly externalMiB: number
  readonly fileHandles: number
  readonly timers: number
}

function vitals(): Vitals {
  const { rss, heapUsed, external } = process.memoryUsage()
  const mebibytes = (bytes: number): number => Math.round((bytes / 2 ** 20) * 10) / 10
  return {
    rssMiB: mebibytes(rss),
    heapMiB: mebibytes(heapUsed),
    externalMiB: mebibytes(external),
    fileHandles: readdirSync('/proc/self/fd').length,
    timers: process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length,
  }
}

if (values.vitals === true) setInterval(() => say(`vitals ${JSON.stringify(vitals())}`), 5_000)
