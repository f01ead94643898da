/** What the research service remembers of one organization: the session that runs, and the findings that stand. */

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
import { researchFields } from './answer.ts'

const field = () => oneOf(...researchFields)
const company = (name: string) =>
  record(name, { company_name: string(), domain: optional(string()), industry: optional(string()) })
const citation = () => record('Citation', { title: string(), url: string(), date: optional(string()) })
const source = () => record('Source', { title: string(), url: string(), date: optional(string()) })

/** All of version 1; version 2 adds to it. */
const versionOne = {
  /** none: nothing asked yet · running · review: a person decides · done · failed · erased: forgotten for good. */
  status: oneOf('none', 'running', 'review', 'done', 'failed', 'erased'),
  session_id: string(),
  /** Sessions begun or joined, newest last, bounded: an event that asked for one asks for no second. */
  sessions: array(string()),
  company: optional(company('Company')),
  /** The fields of this session, and those nobody has settled yet. */
  plan: array(field()),
  open: array(field()),
  /** Place in the waterfall; its call in flight. */
  rung: int(),
  call: optional(record('Call', { call_id: string(), attempt: int() })),
  /** Some provider gave an answer in this session. */
  answered: boolean(),
  /** What was said about the open fields. */
  evidence: array(
    record('Evidence', {
      field: field(),
      value: json<{ readonly [name: string]: Json }>(),
      match: double(),
      sources: array(source()),
      provider: string(),
      searched: boolean(),
    }),
  ),
  /** Of this session, or of the last one: the cache. Confidence 0 is withdrawn. */
  findings: array(
    record('Finding', {
      finding_id: string(),
      finding_type: field(),
      data: json<{ readonly [name: string]: Json }>(),
      confidence: double(),
      source: string(),
      citations: array(citation()),
      /** When it was found out, in ms; a finding taken from the cache keeps it. */
      found_at: instant(),
    }),
  ),
  /** Microdollars spent in this session. */
  cost: long(),
  review_id: optional(string()),
  /** Another question that came while a session ran. */
  next: optional(
    record('Next', { session_id: string(), company: company('NextCompany'), plan: array(field()), fresh: boolean() }),
  ),
  /** What a person corrected in the company's profile; used where a request leaves it open. */
  profile: optional(company('Profile')),
}

export const researchState = defineState({
  store: 'sessions',
  version: 2,
  fields: {
    ...versionOne,
    /** Where the lifecycle has the client; null before it said so. */
    stage: optional(string()),
    /** The organization was deleted. */
    closed: optional(boolean()),
    /** When the timer of old research fired last: it is not armed at or before that. */
    stale_fired_at: optional(instant()),
  },
  example: {
    status: 'done',
    session_id: 's1',
    sessions: ['s1'],
    company: { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics' },
    plan: ['company_info'],
    open: [],
    rung: 0,
    answered: true,
    evidence: [],
    findings: [
      {
        finding_id: 'f1',
        finding_type: 'company_info',
        data: { summary: 'Acme moves things.', employees: 120 },
        confidence: 0.78,
        source: 'perplexity',
        citations: [{ title: 'About', url: 'https://acme.example/about' }],
        found_at: 1_767_225_600_000,
      },
    ],
    cost: 6_000,
    stage: 'demo',
  },
  earlier: [
    {
      fields: versionOne,
      upcast: (value) => ({ ...value, stage: null, closed: null, stale_fired_at: null }),
    },
  ],
})

export type ResearchState = StateOf<typeof researchState>
export type Finding = ResearchState['findings'][number]
export type Company = NonNullable<ResearchState['company']>

/** A company as it is kept: what people write about it is cut to what a name, a domain and an industry can need. */
export function companyOf(told: {
  readonly company_name: string
  readonly domain?: string | null
  readonly industry?: string | null
}): Company {
  const cut = (text: string): string => text.slice(0, 200).toWellFormed()
  return {
    company_name: cut(told.company_name),
    domain: told.domain == null ? null : cut(told.domain),
    industry: told.industry == null ? null : cut(told.industry),
  }
}

export const nothingYet: ResearchState = Object.freeze({
  status: 'none',
  session_id: '',
  sessions: [],
  plan: [],
  open: [],
  rung: 0,
  answered: false,
  evidence: [],
  findings: [],
  cost: 0,
})

/** All that is left of an erased client: that it was erased. A late event then finds no client to start again for. */
export const erasedState: ResearchState = Object.freeze({ ...nothingYet, status: 'erased' })
