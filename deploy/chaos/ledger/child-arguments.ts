/** The command line of the process that is killed. */

import { parseArgs } from 'node:util'
import type { CrashPoint } from '../../../connectors/kafka/index.ts'
import { crashAt } from '../../crash.ts'

export interface ChildArguments {
  readonly directory: string
  /** Its name among processes of the same applications. */
  readonly process: string
  /** host:port of brokers; null for the embedded log. */
  readonly kafka: string | null
  readonly seed: number
  readonly life: number
  readonly flushBytes: number
  readonly requestTimeoutMs: number
  /** Ends when nothing is left to do. */
  readonly drain: boolean
  /** Starts when a line comes in. */
  readonly wait: boolean
  readonly crash: CrashPoint
}

const usualRequestTimeoutMs = '10000'

export function readChildArguments(argv: readonly string[]): ChildArguments {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const texts = { directory: text, process: text, kafka: text, seed: text, life: text, crash: text }
  const numbers = { 'flush-bytes': text, 'request-timeout-ms': text }
  const { values } = parseArgs({ args: [...argv], options: { ...texts, ...numbers, drain: flag, wait: flag } })
  const { directory = '', process = 'a', kafka = null, seed, life, drain = false, wait = false } = values
  return {
    ...{ directory, process, kafka, drain, wait, seed: Number(seed), life: Number(life) },
    flushBytes: Number(values['flush-bytes']),
    requestTimeoutMs: Number(values['request-timeout-ms'] ?? usualRequestTimeoutMs),
    crash: crashAt(values.crash ?? null),
  }
}
