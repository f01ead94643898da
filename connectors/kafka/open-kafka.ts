import { LogClient } from './client/index.ts'
import type { Clock, Random } from './clock.ts'
import type { Log } from './port.ts'
import type { KafkaBrokerOptions } from './wire/index.ts'

export interface KafkaLogOptions extends KafkaBrokerOptions {
  readonly clock: Clock
  readonly random: Random
}

/**
 * The log of a Kafka cluster. Its client library takes a second to load, and only here.
 * @throws LogError TIMEOUT (no broker can be reached), UNSUPPORTED_VERSION, AUTHENTICATION_FAILED, INVALID_CONFIG; one line
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { connectKafka } = await import('./wire/index.ts')
  const broker = await connectKafka(options)
  const { clock, random, notice } = options
  return new LogClient({ broker, clock, random, ...(notice === undefined ? {} : { notice }) })
}
