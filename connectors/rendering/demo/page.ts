/**
 * A demo page: one HTML document that needs nothing else, the same bytes for the same input. Its policy stands in it
 * (before any value of a customer's), and names its style and script by their hashes: a page that was stored works as long
 * as it stands, whatever a later version brings.
 */

import { createHash } from 'node:crypto'
import type { DemoPlace, Personalization } from '../inputs.ts'
import type { Html } from './escape.ts'
import { escaped, html } from './escape.ts'
import { script } from './script.ts'
import { style } from './style.ts'

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const policy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const beforePolicy =
  '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="content-security-policy" content="'
const closed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/**
 * The header `content-security-policy` for a stored page: its own policy, and that nobody frames it. A page without one of
 * ours gets a policy under which nothing runs.
 */
export function policyOf(page: Uint8Array): string {
  const start = Buffer.from(page.buffer, page.byteOffset, Math.min(page.byteLength, 2_048)).toString('latin1')
  const found = start.startsWith(beforePolicy)
    ? /^[^"<>]+(?=">)/.exec(start.slice(beforePolicy.length))?.[0]
    : undefined
  return found === undefined ? closed : `${found}; frame-ancestors 'none'`
}

const scripted = `<script>${script}</script>\n`

/** Plain text on purpose: nothing may come before the policy, nor between a hashed text and its tags. */
function documentOf(title: string, body: Html, attributes = '', after = ''): string {
  return `${beforePolicy}${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body${attributes}>
${body.text}
${after}</body>
</html>
`
}

export function demoPage(about: Personalization, place: DemoPlace): string {
  const { company_name, steps } = about
  const body = html`<a class="skip" href="#tour">Skip to the tour</a>
    <header class="wrap top">
      <span class="brand">${place.seller_name}</span><span class="for">Prepared for ${company_name}</span>
    </header>
    <main>
      <section class="wrap hero">
        <p class="eyebrow">${about.industry === null ? '' : `${about.industry} · `}a demo for ${company_name}</p>
        <h1>${about.headline}</h1>
        <p class="lead">
          ${shortSteps(steps.length)} how it would work at ${company_name}, with what we understood of your business.
        </p>
        <p class="row"><a class="button" href="#tour">See how it works</a></p>
      </section>
      <section class="wrap" aria-labelledby="pains">
        <h2 id="pains">What we understood</h2>
        <ul class="pains">
          ${about.pain_points.map(painPoint)}
        </ul>
      </section>
      <section class="wrap band" aria-labelledby="how">
        <h2 id="how">How it would work</h2>
        <div class="tour" id="tour" tabindex="-1">
          <ol class="dots" aria-label="Steps" hidden>
            ${steps.map(dot)}
          </ol>
          ${steps.map((step, index) => stepPart(step, index, steps.length))}
          <div class="nav" hidden>
            <button class="button quiet" id="back" type="button">Back</button
            ><button class="button" id="next" type="button" data-next="Next" data-last="What now?">Next</button>
          </div>
        </div>
      </section>
      ${place.chat_enabled ? chatPart(company_name) : ''}
      <section class="wrap">
        <div class="end" id="end" tabindex="-1">
          <h2>Shall we look at it together?</h2>
          <p>Somebody who knows this demo will take it from here.</p>
          ${callToAction(about)}
          <p id="thanks" role="status" hidden>Thank you. You will hear from us shortly.</p>
        </div>
      </section>
    </main>
    <footer class="wrap foot">
      <p>
        Made by ${place.seller_name} for ${company_name}. Visits are counted without cookies; the address of this page
        is only yours to share.
      </p>
    </footer>`
  const base = ` data-base="${escaped(place.base_path ?? '')}"`
  return documentOf(`${about.headline} – ${company_name}`, body, base, scripted)
}

const words = [
  '',
  'One short step shows',
  'Two short steps show',
  'Three short steps show',
  'Four short steps show',
  'Five short steps show',
]
const shortSteps = (count: number): string => words[count] ?? `${count} short steps show`

/** What a claim was taken from goes with it, so that it can be traced. */
const traced = (findingId: string | null): Html => (findingId === null ? html`` : html` data-finding-id="${findingId}"`)

function painPoint({ text, finding_id }: Personalization['pain_points'][number]): Html {
  return html`<li${traced(finding_id)}><p>${text}</p></li>`
}

const dot = ({ title }: Personalization['steps'][number], index: number): Html =>
  html`<li>
    <button type="button"><span class="visually-hidden">Step ${index + 1}: ${title}</span></button>
  </li>`

const stepPart = ({ title, text, finding_id }: Personalization['steps'][number], index: number, of: number): Html =>
  html`<section class="step" tabindex="-1" aria-labelledby="step-${index + 1}" ${traced(finding_id)}>
    <p class="count">Step ${index + 1} of ${of}</p>
    <h3 id="step-${index + 1}">${title}</h3>
    <p>${text}</p>
  </section> `

/** Without an address it can only be pressed where the script runs. */
function callToAction({ call_to_action, call_to_action_url }: Personalization): Html {
  return call_to_action_url == null
    ? html`<button class="button" id="cta" type="button" hidden>${call_to_action}</button>`
    : html`<a class="button" id="cta" href="${call_to_action_url}" rel="noopener noreferrer">${call_to_action}</a>`
}

const chatPart = (company: string): Html =>
  html`<section
    class="wrap band"
    id="chat"
    aria-labelledby="ask"
    data-late="That takes longer than usual. The answer will be here when you come back."
    data-failed="That did not go out. Please send it again."
    hidden
  >
    <h2 id="ask">Ask anything</h2>
    <div class="chat">
      <div class="log" id="log" role="log" aria-live="polite" aria-label="Conversation">
        <p data-role="assistant">Hello! What would you like to know about this demo for ${company}?</p>
      </div>
      <form class="say" id="say">
        <label class="visually-hidden" for="text">Your question</label
        ><input id="text" name="text" maxlength="2000" autocomplete="off" placeholder="Your question" /><button
          class="button"
          type="submit"
        >
          Send
        </button>
      </form>
    </div>
  </section> `

/** In place of a demo that is no longer shown; answer it with 410. */
export const expiredPage = (sellerName: string): string =>
  standingAlone(
    'This demo has expired',
    'It was made for a limited time. Write to the person who sent you the link, and there will be a fresh one.',
    sellerName,
  )

/** Where there never was a demo; answer it with 404. */
export const missingPage = (sellerName: string): string =>
  standingAlone(
    'There is nothing here',
    'Perhaps the address was cut off on its way. Open the link once more from the message it came in.',
    sellerName,
  )

const standingAlone = (title: string, words: string, sellerName: string): string =>
  documentOf(
    title,
    html`<main class="alone">
      <span class="mark" aria-hidden="true">i</span>
      <h1>${title}</h1>
      <p>${words}</p>
      <p class="brand">${sellerName}</p>
    </main>`,
  )
