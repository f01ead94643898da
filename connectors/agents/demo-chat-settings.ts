/** How the simulated agent of a demo behaves. Times in ms, sizes in characters unless told. */

export interface DemoChatSettings {
  /** Conversations of a task that are answered at the same time. */
  readonly concurrency: number
  /** Questions of one session that are answered; later ones get a sentence that says so. */
  readonly maxTurns: number
  readonly maxQuestionChars: number
  /** A longer answer is cut after its last whole sentence. */
  readonly maxAnswerChars: number
  readonly maxOutputTokens: number
  /** Times a model is asked for one thing before the visitor is told that it cannot be. */
  readonly tries: number
  /** Wait before the second try, doubled for each later one, when the model names no time. */
  readonly retryMs: number
  /** An answer takes no longer than this, whatever the model does. */
  readonly turnTimeoutMs: number
  /** Messages of a session that are remembered as answered. */
  readonly rememberedMessages: number
  /** Checkpoints of a session that are kept. */
  readonly checkpointsKept: number
}

export const defaultDemoChatSettings: DemoChatSettings = Object.freeze({
  concurrency: 16,
  maxTurns: 20,
  maxQuestionChars: 2_000,
  maxAnswerChars: 1_200,
  maxOutputTokens: 800,
  tries: 3,
  retryMs: 500,
  turnTimeoutMs: 60_000,
  rememberedMessages: 200,
  checkpointsKept: 2,
})
