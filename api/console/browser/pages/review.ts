/** One review: what is proposed, and the decision. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { companyName } from '../company-names.ts'
import type { Edits } from '../edit-fields.ts'
import { findingEdits, freeEdits } from '../edit-fields.ts'
import { capital, momentOf, title, words } from '../format.ts'
import type { Answer } from '../http.ts'
import { ApiError, get, post, sentenceOf } from '../http.ts'
import { ago, announce, facts, pageHead, tag, value } from '../parts.ts'
import type { Finding, Review } from '../review-item.ts'
import { companyOf, findingsOf, riskTone, waitsFor } from '../review-item.ts'
import type { Shown, Visit } from '../router.ts'
import { root } from '../router.ts'
import { me } from '../session.ts'

type Decision = Review['options'][number]

const decisionWords: Readonly<Record<Decision, string>> = {
  approve: 'Approve',
  reject: 'Reject',
  edit: 'Save corrections and approve',
  escalate: 'Escalate',
}

/** Says so while the queue has no claims of its own. */
let canClaim = true

export async function review({ params, signal }: Visit): Promise<Shown> {
  const id = params['id'] ?? ''
  const path = `/reviews/${encodeURIComponent(id)}`
  let shown = await get<Review>(path, {}, signal)
  const standing = h('div', {})
  const panel = h('section', { class: 'panel', 'aria-label': 'Decision' })

  /** Asks until the command has shown, and no longer than a person waits. */
  async function settled(answer: Answer<unknown>, done: (review: Review) => boolean): Promise<void> {
    for (let tries = 0; tries < 20 && !signal.aborted; tries++) {
      shown = await get<Review>(path, { min_position: tries === 0 ? answer.position : null }, signal).catch(
        (error: unknown) => {
          if (error instanceof ApiError && error.status === 504) return shown
          throw error
        },
      )
      if (done(shown)) break
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    draw()
  }

  async function decide(decision: Decision, edits: Edits, comment: string, message: HTMLElement): Promise<void> {
    fill(message, '')
    try {
      const changed = decision === 'edit' ? edits.read() : null
      if (decision === 'edit' && changed === null) {
        fill(message, 'Nothing was corrected. Change a field, or approve as it is.')
        return
      }
      fill(message, 'Sending the decision…')
      const body = { decision, ...(changed === null ? {} : { edits: changed }), ...(comment === '' ? {} : { comment }) }
      const answer = await post(`${path}/decision`, body)
      await settled(answer, ({ status }) => status === 'decided')
      if (decision === 'escalate') fill(message, 'Escalated: the review stays open for somebody else.')
      announce(shown.status === 'decided' ? `Decided: ${shown.decision ?? ''}` : 'Sent')
    } catch (error) {
      fill(
        message,
        error instanceof ApiError ? sentenceOf(error) : error instanceof Error ? error.message : sentenceOf(error),
      )
    }
  }

  async function claim(what: 'claim' | 'release', message: HTMLElement): Promise<void> {
    try {
      const answer = await post(`${path}/${what}`)
      await settled(answer, ({ status }) => (status === 'claimed') === (what === 'claim'))
      announce(what === 'claim' ? 'Claimed: others see that you are at it' : 'Released')
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        canClaim = false
        draw()
        fill(
          panel.querySelector('.form-message')!,
          'Claims are not served here. Decide without one: the first decision counts.',
        )
      } else fill(message, sentenceOf(error))
    }
  }

  function draw(): void {
    fill(standing, standingOf(shown))
    const isOpen = shown.status === 'open' || shown.status === 'claimed'
    fill(panel, isOpen ? deciding() : outcome(shown))
  }

  function claiming(message: HTMLElement): Child {
    const button = (what: 'claim' | 'release', text: string): HTMLElement =>
      h('button', { type: 'button', class: 'quiet-button', onclick: () => void claim(what, message) }, text)
    const words = (text: string): HTMLElement => h('span', { class: 'quiet' }, ` ${text}`)
    if (shown.status !== 'claimed')
      return [button('claim', 'Claim'), words('So that nobody else works on it meanwhile.')]
    const until = shown.lease_until === null ? 'they give it back' : momentOf(shown.lease_until)
    if (shown.claimed_by === me.id) return [button('release', 'Release'), words(`You hold it until ${until}.`)]
    return words(
      `${shown.claimed_by_name ?? 'Somebody else'} holds it until ${until}. The decision is theirs meanwhile.`,
    )
  }

  function deciding(): Child {
    if (shown.options.length === 0) return [h('h2', {}, 'Who decides'), h('p', { class: 'waits-for' }, waitsFor(shown))]
    const findings = findingsOf(shown)
    const edits = findings.length > 0 ? findingEdits(findings) : freeEdits()
    const comment = h('textarea', { id: 'comment', rows: 2, maxlength: 4_000 })
    const message = h('p', { class: 'form-message', role: 'alert' })
    const button = (decision: Decision): HTMLElement =>
      h(
        'button',
        {
          type: 'button',
          class: decision === 'approve' ? 'primary' : decision === 'reject' ? 'danger' : '',
          'data-decision': decision,
          onclick: () => void decide(decision, edits, comment.value.trim(), message),
        },
        decisionWords[decision],
      )
    const withoutEdit = shown.options.filter((option) => option !== 'edit')
    return [
      h('h2', {}, 'Your decision'),
      canClaim && h('p', { class: 'claim' }, claiming(message)),
      h('div', { class: 'field' }, h('label', { for: 'comment' }, 'Comment (optional)'), comment),
      message,
      h('div', { class: 'buttons' }, ...withoutEdit.map(button)),
      shown.options.includes('edit') &&
        h(
          'details',
          {},
          h('summary', {}, 'Correct it first'),
          edits.element,
          h('div', { class: 'buttons' }, button('edit')),
        ),
    ]
  }

  draw()
  const name = companyOf(shown) ?? (await companyName(shown.organization_id))
  const heading = name ?? `Review of a ${words(shown.subject_type)}`
  return {
    title: heading,
    content: [
      h('p', { class: 'way' }, h('a', { href: `${root}/reviews` }, 'Reviews')),
      pageHead(
        heading,
        shown.reason === null ? '' : capital(words(shown.reason)),
        h('a', { href: `${root}/companies/${shown.organization_id}` }, 'Timeline of the company'),
      ),
      standing,
      h(
        'div',
        { class: 'review' },
        h(
          'section',
          { 'aria-label': 'What is proposed' },
          h('h2', {}, findingsOf(shown).length > 0 ? 'What was found' : 'What is proposed'),
          proposed(shown),
        ),
        panel,
      ),
    ],
  }
}

function standingOf(review: Review): Child {
  return facts([
    ['Subject', title(review.subject_type)],
    ['Risk', tag(capital(review.risk), riskTone(review))],
    ['Priority', review.priority],
    ['Asked', [ago(review.requested_at), ` by ${words(review.requester)}`]],
    ['Due', ago(review.due_at)],
    ['Standing', capital(review.status)],
  ])
}

function proposed(review: Review): Child {
  const findings = findingsOf(review)
  if (findings.length === 0)
    return review.proposed_action === null
      ? h('p', { class: 'quiet' }, 'What is proposed is not shown to you.')
      : value(review.proposed_action)
  return h('ul', { class: 'findings' }, ...findings.map((finding) => h('li', {}, findingOf(finding))))
}

function findingOf({ finding_type, confidence, data }: Finding): Child {
  const percent = Math.round(confidence * 100)
  return [
    h('h3', {}, title(finding_type), ' ', tag(`${String(percent)} % sure`, confidence < 0.6 ? 'warn' : 'ok')),
    value(data),
  ]
}

function deciderOf({ decided_by, decided_by_name }: Review): Child {
  if (decided_by === me.id) return 'You'
  return decided_by_name ?? (decided_by === null ? 'Not known' : h('code', {}, decided_by))
}

function outcome(review: Review): Child {
  if (review.status === 'expired')
    return [h('h2', {}, 'Expired'), h('p', {}, 'Nobody decided in time, and the fallback was applied.')]
  return [
    h('h2', {}, `Decided: ${review.decision ?? ''}`),
    facts([
      ['When', review.decided_at === null ? 'not known' : momentOf(review.decided_at)],
      ['By', deciderOf(review)],
      ...(review.comment === null ? [] : [['Comment', review.comment] as const]),
    ]),
  ]
}
