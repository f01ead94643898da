import type { OutboxRelay } from '../api/index.ts'
import type { SinkRunner } from '../sinks/index.ts'
import type { Foundation } from './foundation.ts'
import type { Providers } from './providers.ts'
import type { Streams } from './streams/index.ts'

/** Everything a running process holds, for the parts that look at all of it. */
export interface Running {
  readonly foundation: Foundation
  readonly providers: Providers
  readonly streams: Streams
  readonly sinks: SinkRunner
  readonly relay: OutboxRelay
}
