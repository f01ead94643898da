/** Bounds of the public demo pages. */

export interface DemoPageSettings {
  /** What a viewer's page may tell in a minute; more is refused. */
  readonly beaconsPerMinute: number
  /** Questions of a viewer in a minute. */
  readonly questionsPerMinute: number
  readonly beaconBytes: number
  readonly questionBytes: number
  /** Newest messages of a conversation that are shown. */
  readonly messagesShown: number
}

export const demoPageDefaults: DemoPageSettings = Object.freeze({
  beaconsPerMinute: 120,
  questionsPerMinute: 12,
  beaconBytes: 4 * 1024,
  questionBytes: 16 * 1024,
  messagesShown: 200,
})
