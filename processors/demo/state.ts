/** What the demo service remembers of one organization: what was found out, the demo made of it, and who looked at it. */

import {
  array,
  boolean,
  double,
  instant,
  int,
  json,
  long,
  oneOf,
  optional,
  record,
  string,
} from '../../schemas/index.ts'
import type { Json } from '../../schemas/index.ts'
import type { StateOf } from '../define.ts'
import { defineState } from '../define.ts'
import { handledOnce } from '../handled.ts'

export const demoState = defineState({
  store: 'demos',
  version: 1,
  fields: {
    /** none · writing: the text is asked for · rendering · published · expired · removing · unpublished · failed · erased */
    status: oneOf(
      'none',
      'writing',
      'rendering',
      'published',
      'expired',
      'removing',
      'unpublished',
      'failed',
      'erased',
    ),
    company: optional(
      record('Company', { company_name: string(), domain: optional(string()), industry: optional(string()) }),
    ),
    /** Of the newest research session, as far as they were read. */
    findings: array(
      record('Finding', {
        finding_id: string(),
        session_id: string(),
        finding_type: string(),
        data: json<{ readonly [name: string]: Json }>(),
        confidence: double(),
      }),
    ),
    /** Requests and looks that were taken, newest last, bounded: one that comes again changes nothing. */
    handled: array(string()),
    /** Research sessions a demo was asked for, newest last, bounded. */
    asked: array(string()),
    /** A request that waits: for the client to be known, or for the demo in the making. */
    wanted: optional(record('Wanted', { session_id: string(), persona: optional(string()) })),
    demo_id: string(),
    version: int(),
    session_id: string(),
    persona: optional(string()),
    call: optional(record('Call', { call_id: string(), attempt: int() })),
    /** What is being rendered, and who wrote it. */
    draft: optional(record('Draft', { personalization: json(), model: string() })),
    keys: array(string()),
    steps: int(),
    published_at: instant(),
    expires_at: instant(),
    /** Why it is to be taken down as soon as it can be. */
    takedown: optional(string()),

    sessions: array(
      record('Session', {
        viewer: string(),
        started_at: instant(),
        last_at: instant(),
        dwell_ms: long(),
        touched: boolean(),
      }),
    ),
    /** Sessions that counted and are no longer kept. */
    sessions_before: int(),
    dwell_before_ms: long(),
    viewers: array(string()),
    steps_done: array(string()),
    cta_clicked: boolean(),
    bots: int(),
    score: int(),
    engaged: boolean(),
    nudges: int(),

    exports: array(
      record('Export', { name: string(), at: instant(), viewer: string(), detail: string(), insert_id: string() }),
    ),
    /** How many of them are on their way. */
    exporting: int(),
    export_call: optional(record('ExportCall', { call_id: string(), attempt: int() })),
  },
  example: {
    status: 'published',
    company: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' },
    findings: [
      { finding_id: 'f1', session_id: 's1', finding_type: 'company_info', data: { employees: 120 }, confidence: 0.8 },
    ],
    handled: ['e1'],
    asked: ['s1'],
    demo_id: 'd1',
    version: 1,
    session_id: 's1',
    keys: ['tenants/t1/demos/d1/1/page.html'],
    steps: 4,
    published_at: 1_767_225_600_000,
    expires_at: 1_768_435_200_000,
    sessions: [
      { viewer: '5f2c', started_at: 1_767_225_600_000, last_at: 1_767_225_660_000, dwell_ms: 60_000, touched: true },
    ],
    sessions_before: 0,
    dwell_before_ms: 0,
    viewers: ['5f2c'],
    steps_done: ['1'],
    cta_clicked: false,
    bots: 0,
    score: 25,
    engaged: false,
    nudges: 0,
    exports: [],
    exporting: 0,
  },
})

export type DemoState = StateOf<typeof demoState>
export type Finding = DemoState['findings'][number]
export type Company = NonNullable<DemoState['company']>

export const noDemo: DemoState = Object.freeze({
  status: 'none',
  findings: [],
  handled: [],
  asked: [],
  demo_id: '',
  version: 0,
  session_id: '',
  keys: [],
  steps: 0,
  published_at: 0,
  expires_at: 0,
  sessions: [],
  sessions_before: 0,
  dwell_before_ms: 0,
  viewers: [],
  steps_done: [],
  cta_clicked: false,
  bots: 0,
  score: 0,
  engaged: false,
  nudges: 0,
  exports: [],
  exporting: 0,
})

/** All that is left of an erased client. */
export const erasedDemo: DemoState = Object.freeze({ ...noDemo, status: 'erased' })

export const demoTimers = {
  expiry: 'demo_expiry',
  nudge: 'demo_nudge',
  export: 'demo_export',
  removal: 'demo_removal',
} as const
/** None of them: the demo is no longer to be seen. */
export const disarmed = { [demoTimers.expiry]: null, [demoTimers.nudge]: null } as const

const handledRemembered = 200

/** Notes that an event was taken; null when it was taken before. */
export function taking(state: DemoState, eventId: string): DemoState | null {
  return handledOnce(state, eventId, handledRemembered)
}
