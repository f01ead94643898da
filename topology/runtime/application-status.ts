/** What an operator, a test or a metric sees of one application in one worker. */

import type { Log } from '../../connectors/kafka/index.ts'
import type { Task, TaskCounters } from './task.ts'

export type ApplicationState = 'created' | 'starting' | 'running' | 'recovering' | 'closing' | 'closed' | 'failed'

/** Of tasks that do not run here: see `TaskSet`. */
export interface TaskProgress {
  readonly restoring: number
  readonly restoreRemaining: number
  readonly standbys: number
  readonly standbyLag: number
}

export interface ApplicationStatus extends Readonly<TaskCounters> {
  readonly application: string
  readonly state: ApplicationState
  /** Tasks that run. */
  readonly tasks: number
  /** Tasks that are assigned and do not run yet, and changelog offsets they have to read. */
  readonly tasksRestoring: number
  readonly restoreRemaining: number
  /** Copies of other workers' tasks, and changelog offsets they are behind. */
  readonly standbyTasks: number
  readonly standbyLag: number
  readonly blockedKeys: number
  readonly timersArmed: number
  readonly callsInFlight: number
  readonly callsWaiting: number
  readonly commits: number
}

export function statusOf(
  application: string,
  state: ApplicationState,
  tasks: readonly Task[],
  progress: TaskProgress | null,
  counters: TaskCounters,
  commits: number,
): ApplicationStatus {
  const sum = (of: (task: Task) => number): number => tasks.reduce((total, task) => total + of(task), 0)
  return {
    application,
    state,
    tasks: tasks.length,
    tasksRestoring: progress?.restoring ?? 0,
    restoreRemaining: progress?.restoreRemaining ?? 0,
    standbyTasks: progress?.standbys ?? 0,
    standbyLag: progress?.standbyLag ?? 0,
    ...counters,
    blockedKeys: sum((task) => task.blocked.length),
    timersArmed: sum((task) => task.timersArmed),
    callsInFlight: sum((task) => task.callsInFlight),
    callsWaiting: sum((task) => task.callsWaiting),
    commits,
  }
}

/** True when nothing that was fetched waits, nothing is in flight and nothing is due. */
export function isQuiet(task: Task, now: number): boolean {
  const isDue = task.nextDue !== null && task.nextDue <= now
  return task.isDrained && !task.isDirty && task.callsInFlight === 0 && !isDue
}

/** True when these tasks have taken everything that can be read. */
export async function haveReadAll(log: Log, tasks: readonly Task[]): Promise<boolean> {
  const queues = tasks.flatMap((task) => task.queues)
  const ends = await log.listOffsets(queues, 'latest')
  return queues.every((queue, index) => queue.position >= (ends[index] ?? 0n))
}

/** Records between where these tasks are and the end of what is committed. */
export async function lagOf(log: Log, tasks: readonly Task[]): Promise<bigint> {
  const queues = tasks.flatMap((task) => task.queues)
  const ends = await log.listOffsets(queues, 'stable')
  return queues.reduce((sum, { position }, index) => {
    const end = ends[index] ?? 0n
    return end > position ? sum + end - position : sum
  }, 0n)
}
