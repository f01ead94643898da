/** Words the scenarios of the documents service share: a company, its documents, what is answered and told. */

import { clientEvents, demoEvents, documentEvents, researchEvents, reviewEvents } from '../../schemas/index.ts'
import type { Expected, Scenario, ScenarioInput } from '../define.ts'
import { last } from '../define.ts'
import { documentsDefaults } from './settings.ts'
import type { DocumentType } from './state.ts'

/** Midnight of 1 January 2026. */
export const start = 1_767_225_600_000
export const seconds = (n: number): number => start + n * 1_000
export const days = (n: number): number => start + n * 24 * 60 * 60 * 1_000

const input = (
  topic: Extract<ScenarioInput, { readonly topic: unknown }>['topic'],
  type: string,
  payload: Readonly<Record<string, unknown>>,
  at: number,
): Extract<ScenarioInput, { readonly topic: unknown }> => ({ topic, type, payload, at })

export const created = input(
  clientEvents,
  'client_created',
  { company_name: 'Acme', domain: 'acme.example', industry: 'Logistics', segment: null },
  start,
)
export const found = (finding_type: string, data: unknown, confidence_score = 0.8, finding_id = finding_type) =>
  input(
    researchEvents,
    'finding_recorded',
    { finding_id, research_session_id: 's1', finding_type, data, confidence_score, finding_source: 'p', citations: [] },
    start,
  )
/** 4,000 conversations a month make 10 seats. */
export const volume = found('volume_prediction', { monthly_conversations: 4_000, basis: '120 employees' })
export const researched = input(
  researchEvents,
  'research_completed',
  { research_session_id: 's1', findings_count: 5, competitors_count: 3, min_confidence: 0.8, cost: 1 },
  start,
)
export const engaged = (at = seconds(1), demo_id = 'd1') =>
  input(demoEvents, 'demo_engaged', { demo_id, score: 70, sessions: 2 }, at)
export const asked = (
  document_type: DocumentType,
  inputs: Readonly<Record<string, string>> = {},
  at = seconds(50),
): ScenarioInput => input(documentEvents, 'document_requested', { document_type, inputs, reason: 'negotiated' }, at)
export const compensate = (step: string, attempt = 1, at = seconds(100)): ScenarioInput =>
  input(clientEvents, 'compensation_requested', { step, refs: {}, attempt }, at)
export const erase = (at = seconds(200)): ScenarioInput => input(clientEvents, 'client_erased', { mode: 'erase' }, at)
export const reviewDecided = (
  decision: string,
  edits: unknown = null,
  review_id: unknown = last('review_requested', 'review_id'),
  at = seconds(60),
): ScenarioInput =>
  input(reviewEvents, 'review_decided', { review_id, decision, edits, comment: null, by: 'h1', ms: 1 }, at)
export const reviewExpired = (fallback: string, at = days(3)): ScenarioInput =>
  input(reviewEvents, 'review_expired', { review_id: last('review_requested', 'review_id'), fallback }, at)

export const told = (
  envelope_id: string,
  event: string,
  more: Readonly<Record<string, unknown>> = {},
  at = seconds(20),
): ScenarioInput =>
  input(
    documentEvents,
    'envelope_webhook_received',
    {
      envelope_id,
      event,
      generated_at: at,
      delivery_id: `${envelope_id}:${event}:${at}`,
      recipient: null,
      reason: null,
      ...more,
    },
    at,
  )

export const ref = (key: string) => ({ bucket: 'b', key, version_id: 'v1', sha256: 'aa', bytes: 1_000 })
export const answer = (output: unknown, at = seconds(5)): ScenarioInput => ({ answer: { output }, at })
export const drawn = (key: string, at = seconds(5)): ScenarioInput => answer({ ref: ref(key) }, at)
export const made = (envelope_id: string, at = seconds(6)): ScenarioInput => answer({ envelope_id }, at)
/** How the envelope stands that was to be voided. */
export const ended = (status: string, at = seconds(101)): ScenarioInput => answer({ status }, at)
export const isVoided = (at?: number): ScenarioInput => ended('voided', at)
export const fetched = (key: string, at = seconds(21)): ScenarioInput =>
  answer({ signed_ref: ref(`${key}-signed`), certificate_ref: ref(`${key}-certificate`) }, at)
export const refused = (
  as: 'retry' | 'auth' | 'quota' | 'invalid',
  status: number,
  at = seconds(5),
): ScenarioInput => ({
  answer: { class: as, status, error: 'refused' },
  at,
})

const expected =
  (type: string) =>
  (payload: Readonly<Record<string, unknown>> = {}): Expected => ({ type, payload })

export const wanted = (document_type: DocumentType, more = {}) =>
  expected('document_requested')({ document_type, ...more })
export const called = (operation: string, more: Readonly<Record<string, unknown>> = {}) =>
  expected('call_requested')({ operation, ...more })
export const render = (document_type: DocumentType, version = 1): Expected =>
  called('document', { provider: 'rendering', request: { document_type, version } })
export const generated = (document_type: DocumentType, more = {}) =>
  expected('document_generated')({ document_type, ...more })
export const approved = (by = 'policy', more = {}) => expected('document_approved')({ by, ...more })
export const reviewed = expected('review_requested')({ subject_type: 'document', requester: 'documents', risk: 'high' })
/** A person is told of something that we cannot bring to an end. */
export const asksFor = (reason: string, proposed_action: Readonly<Record<string, unknown>> = {}) =>
  expected('review_requested')({
    subject_type: 'document',
    requester: 'documents',
    risk: 'high',
    reason,
    proposed_action,
  })
export const create = (version = 1) => called('create_envelope', { provider: 'docusign', request: { version } })
export const sent = (envelope_id: string, more = {}) => expected('envelope_sent')({ envelope_id, ...more })
export const voidCall = (envelope_id: string) => called('void_envelope', { request: { envelope_id } })
const triesAtMost = documentsDefaults.giveUpAfterAttempts
/** Every try fails, half an hour apart. Each but the last is followed by another; what follows the last is said here. */
export const failing = (
  operation: string,
  { as, status, since = seconds(200) }: { as: 'retry' | 'auth'; status: number; since?: number },
  then: readonly Expected[],
): Scenario['play'] =>
  Array.from({ length: triesAtMost }, (_, n) => ({
    when: refused(as, status, since + n * 1_800_000),
    then:
      n + 1 < triesAtMost ? [called(operation, { attempt: n + 2, call_id: last('call_requested', 'call_id') })] : then,
  }))
export const fetchCall = (envelope_id: string) => called('fetch_signed', { request: { envelope_id } })
export const viewed = expected('document_viewed')
export const signed = (document_type: DocumentType, more = {}) =>
  expected('document_signed')({ document_type, ...more })
export const declined = expected('document_declined')
export const voided = (document_type: DocumentType, reason = 'compensation') =>
  expected('document_voided')({ document_type, reason })
export const expired = expected('document_expired')
export const reminder = (n: number, recipient: string) => expected('reminder_due')({ n, recipient })
export const ignored = (move: string, status: string) => expected('document_move_ignored')({ move, status })

/** Known, researched, and interested: the NDA is being drawn up. */
export const begun: Scenario['play'] = [
  { when: volume },
  { when: researched },
  { when: created },
  { when: engaged(), then: [wanted('nda', { reason: 'demo_engaged' }), render('nda')] },
]

/** The NDA is drawn up and approved; its envelope is being made. */
export const ndaSending: Scenario['play'] = [
  ...begun,
  { when: drawn('nda'), then: [generated('nda', { version: 1 }), approved(), create()] },
]

/** The NDA is with its signers as e1, since second 6. */
export const ndaSent: Scenario['play'] = [
  ...ndaSending,
  { when: made('e1'), then: [sent('e1', { version: 1, expires_at: seconds(6) + 30 * 24 * 3_600_000 })] },
]

export const ndaSigned: Scenario['play'] = [
  ...ndaSent,
  { when: told('e1', 'envelope-completed'), then: [fetchCall('e1')] },
  {
    when: fetched('nda'),
    then: [signed('nda', { signed_at: seconds(20) }), wanted('pricing', { reason: 'nda_signed' }), render('pricing')],
  },
]

/** Ten seats for what eleven cost, and 3,000 conversations beyond the first thousand at 6 cents; no discount below 2,000 dollars. */
export const pricingApproved: Scenario['play'] = [
  ...ndaSigned,
  {
    when: drawn('pricing', seconds(22)),
    then: [
      generated('pricing', { amount: 64_200, list_amount: 64_200, quantity: 10, discount_basis_points: 0 }),
      approved(),
      wanted('proposal', { reason: 'pricing_approved' }),
      render('proposal'),
    ],
  },
]

export const proposalSent: Scenario['play'] = [
  ...pricingApproved,
  { when: drawn('proposal', seconds(23)), then: [generated('proposal', { amount: 64_200 }), approved(), create()] },
  { when: made('e2', seconds(24)), then: [sent('e2', { recipients: [{ role: 'client', order: 1 }] })] },
]

export const contractSent: Scenario['play'] = [
  ...proposalSent,
  { when: told('e2', 'envelope-completed', {}, seconds(30)), then: [fetchCall('e2')] },
  {
    when: fetched('proposal', seconds(31)),
    then: [signed('proposal', { terms: null }), wanted('contract', { reason: 'proposal_signed' }), render('contract')],
  },
  { when: drawn('contract', seconds(32)), then: [generated('contract'), approved(), create()] },
  { when: made('e3', seconds(33)), then: [sent('e3')] },
]
