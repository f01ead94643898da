/** What the stream applications count, as Prometheus metrics. Read at each scrape, nothing is kept twice. */

import { Counter, Gauge } from 'prom-client'
import type { Registry } from 'prom-client'
import type { ApplicationStatus } from '../topology/index.ts'
import type { Running } from './running.ts'

const counted: readonly [keyof ApplicationStatus & string, string, string][] = [
  ['processed', 'stream_records_processed_total', 'Records taken by the tasks of an application'],
  ['deadLetters', 'stream_dead_letters_total', 'Records written to a dead-letter topic'],
  ['setAside', 'stream_records_set_aside_total', 'Records set aside behind a blocked key'],
  ['timersFired', 'stream_timers_fired_total', 'Timers that fired'],
  ['answers', 'stream_call_answers_total', 'Answers of outside calls that were emitted'],
  ['lateRecords', 'stream_late_records_total', 'Records that came after the grace of their window'],
  ['expiredPuts', 'stream_expired_puts_total', 'Rows for windows older than their store keeps'],
  ['commits', 'stream_commits_total', 'Transactions committed'],
  ['blockedKeys', 'stream_blocked_keys', 'Keys that are blocked now'],
  ['timersArmed', 'stream_timers_armed', 'Timers armed now'],
  ['callsInFlight', 'stream_calls_in_flight', 'Outside calls in flight now'],
  ['callsWaiting', 'stream_calls_waiting', 'Outside calls that wait for their time'],
  ['tasks', 'stream_tasks_running', 'Tasks that run in this process'],
  ['tasksRestoring', 'stream_tasks_restoring', 'Tasks that are assigned and do not run yet'],
  ['restoreRemaining', 'stream_restore_remaining_offsets', 'Changelog offsets that restoring tasks have to read'],
  ['standbyTasks', 'stream_tasks_standby', 'Copies of the tasks of other processes'],
  ['standbyLag', 'stream_standby_lag_offsets', 'Changelog offsets that standby tasks are behind'],
]

export function registerStreamMetrics(registry: Registry, { streams, sinks }: Running): void {
  for (const [field, name, help] of counted) {
    new Gauge({
      name,
      help,
      labelNames: ['application'],
      registers: [registry],
      async collect() {
        for (const application of streams.applications)
          this.set({ application: application.name }, Number((await application.status())[field]))
      },
    })
  }
  new Gauge({
    name: 'stream_lag_records',
    help: 'Records between an application and the end of its inputs',
    labelNames: ['application'],
    registers: [registry],
    async collect() {
      for (const application of streams.applications)
        this.set({ application: application.name }, Number(await application.lag()))
    },
  })
  new Gauge({
    name: 'sink_lag_records',
    help: 'Records between a projection and the end of its topic',
    labelNames: ['projection', 'partition'],
    registers: [registry],
    collect() {
      for (const { projection, partition, lag } of sinks.lag())
        this.set({ projection, partition: String(partition) }, Number(lag))
    },
  })
}

export const webhookCounter = (registry: Registry): Counter =>
  new Counter({
    name: 'webhooks_total',
    help: 'Deliveries of providers, and their parts, by what became of them',
    labelNames: ['provider', 'outcome'],
    registers: [registry],
  })
