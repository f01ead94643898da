/** The client side of the log: producer sessions, group membership and retries over any broker. */

export { LogClient } from './log-client.ts'
export type { LogClientOptions } from './log-client.ts'
