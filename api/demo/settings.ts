/** Bounds of the public demo pages. */

export interface DemoPageSettings {
  /** What a viewer's page may tell in a minute; more is refused. */
  readonly beaconsPerMinute: number
  /** Questions of a viewer in a minute. */
  readonly questionsPerMinute: number
  /** The same of all viewers at one address: a viewer is told by the browser's name too, and names cost nothing. 0 is no limit. */
  readonly beaconsPerAddress: number
  readonly questionsPerAddress: number
  /** Questions in a minute about one demo, wherever they come from: each is a call of a model. 0 is no limit. */
  readonly questionsPerDemo: number
  readonly beaconBytes: number
  readonly questionBytes: number
  /** Newest messages of a conversation that are shown. */
  readonly messagesShown: number
}

export const demoPageDefaults: DemoPageSettings = Object.freeze({
  beaconsPerMinute: 120,
  questionsPerMinute: 12,
  beaconsPerAddress: 600,
  questionsPerAddress: 36,
  questionsPerDemo: 60,
  beaconBytes: 4 * 1024,
  questionBytes: 16 * 1024,
  messagesShown: 200,
})
