/** How an application runs. Times in ms, sizes in bytes. */
export interface RuntimeSettings {
  /** Set on the topics that an application makes for itself, besides what they need. */
  readonly topicConfig: Readonly<Record<string, string>>
  /** The longest a record waits for its commit while the application is busy. */
  readonly commitIntervalMs: number
  /** When all tasks are drained a commit follows at once, but not sooner than this after the one before. */
  readonly commitMinIntervalMs: number
  /** The greatest share of time that commits may take while there is other work. */
  readonly commitMaxShare: number
  /** A transaction left open longer is aborted by the log. */
  readonly transactionTimeoutMs: number
  /** Uncommitted bytes that force a commit. */
  readonly transactionMaxBytes: number
  /** Fetched bytes buffered per input partition; a partition past it is not fetched. */
  readonly bufferBytesPerPartition: number
  readonly fetchMaxBytes: number
  readonly fetchMaxWaitMs: number
  /** How often consumed records of repartition topics are dropped; null keeps them. */
  readonly repartitionPurgeIntervalMs: number | null
  /** A timer that came due while the task was down waits this long after the start. */
  readonly timerRestartGraceMs: number
  /** A run of synchronous work; then the event loop gets its turn. */
  readonly sliceMs: number
  /** Bytes set aside behind blocked keys, per task. */
  readonly setAsideMaxBytes: number
  /** More dead letters in a minute than this, and more than half of the records, stop the task. */
  readonly deadLettersPerMinute: number
  /** A member that was silent for longer is out of its group, in ms. */
  readonly sessionTimeoutMs: number
  /** How often a member says that it lives. */
  readonly heartbeatIntervalMs: number
  /** A member whose loop made no turn for longer leaves its group. */
  readonly maxPollIntervalMs: number
  /** How long a group waits for its members to give up what moves. */
  readonly rebalanceTimeoutMs: number
  /** Copies of each task's state that other processes keep ready. */
  readonly standbyReplicas: number
  /** Changelog offsets that the new owner of a task may still have to restore; a task that lacks more is not moved yet. */
  readonly acceptableRecoveryLag: number
  /**
   * Whether a worker has a place of its own in the group (KIP-345): when its process restarts within the session timeout it
   * goes on with its tasks, and the others notice nothing. Else a process that dies is missed after that time, one that comes back is new.
   */
  readonly staticMembership: boolean
  /** Whether a static member gives up its place when it closes, so that others have its tasks at once and not after the session timeout. */
  readonly leaveOnClose: boolean
  /** How long calls in flight are awaited when a task closes. */
  readonly closeTimeoutMs: number
  /** After trouble: the first wait, doubled up to the longest. */
  readonly retryMinMs: number
  readonly retryMaxMs: number
}

export const defaultRuntimeSettings: RuntimeSettings = Object.freeze({
  topicConfig: {},
  commitIntervalMs: 100,
  commitMinIntervalMs: 10,
  commitMaxShare: 0.1,
  transactionTimeoutMs: 10_000,
  transactionMaxBytes: 16 * 1024 * 1024,
  bufferBytesPerPartition: 4 * 1024 * 1024,
  fetchMaxBytes: 1024 * 1024,
  fetchMaxWaitMs: 500,
  repartitionPurgeIntervalMs: 30_000,
  timerRestartGraceMs: 60_000,
  sliceMs: 4,
  setAsideMaxBytes: 64 * 1024 * 1024,
  deadLettersPerMinute: 600,
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 3_000,
  maxPollIntervalMs: 300_000,
  rebalanceTimeoutMs: 60_000,
  standbyReplicas: 0,
  acceptableRecoveryLag: 10_000,
  staticMembership: false,
  leaveOnClose: false,
  closeTimeoutMs: 5_000,
  retryMinMs: 50,
  retryMaxMs: 5_000,
})
