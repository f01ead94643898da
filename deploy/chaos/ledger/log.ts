/** Where the ledger's records are: in its directory, or at a broker. */

import { join } from 'node:path'
import type { CrashPoint, KafkaLogOptions, Log } from '../../../connectors/kafka/index.ts'
import { noCrash, openEmbeddedLog, openKafkaLog } from '../../../connectors/kafka/index.ts'
import { machineClock, machineRandom } from '../../machine.ts'

export interface LedgerLogOptions {
  readonly directory: string
  /** host:port of brokers, with commas between them, after `user:password@` where they ask; null for the embedded log. */
  readonly kafka: string | null
  readonly notice: (line: string) => void
  readonly crash?: CrashPoint
  /** How long a broker's answer is awaited, in ms. */
  readonly requestTimeoutMs?: number
  /** As which it speaks to brokers. */
  readonly clientId?: string
}

const usualRequestTimeoutMs = 10_000

export function openLedgerLog(options: LedgerLogOptions): Promise<Log> {
  const { directory, kafka, notice, crash = noCrash, requestTimeoutMs = usualRequestTimeoutMs } = options
  const { clientId = 'checker' } = options
  const machine = { clock: machineClock, random: machineRandom, notice }
  if (kafka !== null) return openKafkaLog({ ...machine, ...brokersOf(kafka), requestTimeoutMs, clientId })
  return openEmbeddedLog({
    ...machine,
    directory: join(directory, 'log'),
    fsync: 'interval',
    fsyncIntervalMs: 200,
    // Small, so that segments are sealed and internal topics are written anew within a run.
    segmentBytes: 4 * 1024 * 1024,
    checkpointBytes: 256 * 1024,
    crash,
  })
}

function brokersOf(kafka: string): Pick<KafkaLogOptions, 'bootstrap' | 'sasl'> {
  const [addresses = '', who] = kafka.split('@').reverse()
  const bootstrap = addresses.split(',')
  const [username, password] = who?.split(':') ?? []
  if (username === undefined || password === undefined) return { bootstrap }
  return { bootstrap, sasl: { mechanism: 'SCRAM-SHA-512', username, password } }
}

export const stateDirectoryOf = (directory: string): string => join(directory, 'state')

/** What runs on a log: as the engine names them. */
export const applications = ['ledger', 'audit'] as const

/** As the engine names it: application, process, worker. */
export const transactionalIdOf = (application: string, process: string): string => `${application}-${process}-0`
