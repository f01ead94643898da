/** The longest things providers and people can say still fit the state under one key. */

import { expect, test } from 'vitest'
import { boundAnswer, researchFields } from '../../connectors/research/index.ts'
import type { ResearchField } from '../../connectors/research/index.ts'
import { last, researchService } from '../../processors/index.ts'
import type { ScenarioInput } from '../../processors/index.ts'
import { researchState } from '../../processors/research/state.ts'
import { answer, asked, called, seconds, started } from '../../processors/research/scenario-data.ts'
import { playScenario, servicePlayer } from '../../processors/scenario.ts'
import { maxStateBytes, reviewEvents, stateCodec } from '../../schemas/index.ts'

const long = 'é'.repeat(100_000)
const page = (n: number) => ({ url: `https://directory-${n}.example/${'x'.repeat(250)}`, title: long, date: long })

/** As much as a provider's client lets through, nothing of it sure: every claim is kept until the end. */
function longest(rung: number) {
  const claim = (field: ResearchField, n: number) => ({
    field,
    value: {
      name: `${rung}-${n} ${long}`,
      summary: long,
      technologies: Array.from({ length: 99 }, () => long),
      basis: long,
    },
    match: 0.01,
    sources: Array.from({ length: 20 }, (_, page_) => page(rung * 1_000 + n * 20 + page_)),
  })
  const claims = researchFields.flatMap((field) =>
    Array.from({ length: field === 'competitor' ? 10 : 1 }, (_, n) => claim(field, n)),
  )
  const question = { company_name: 'Acme', domain: null, industry: null, fields: researchFields }
  return boundAnswer(question, { searched: true, claims }).claims
}

test('a research state stays below its limit', async () => {
  const codec = stateCodec(researchState, { keyRing: { load: () => Promise.resolve(), get: () => undefined } })
  const sizes: number[] = []
  const player = servicePlayer(researchService(), (processor, state, input, context) => {
    const step = processor.handle(state, input as never, context)
    if (step.state !== null)
      sizes.push(codec.serialize(step.state as never, Buffer.from('tenant-a|organization')).length)
    return step
  })
  const edits = {
    competitor: Array.from({ length: 1_000 }, (_, n) => ({ name: `c${n}`, note: 'x'.repeat(4_000) })),
    pricing: { note: long },
  }
  const decided: ScenarioInput = {
    topic: reviewEvents,
    type: 'review_decided',
    payload: {
      review_id: last('review_requested', 'review_id'),
      decision: 'edit',
      edits,
      comment: null,
      by: 'h1',
      ms: 1,
    },
    at: seconds(9),
  }
  const counts = (types: readonly string[]) => types.map((type) => ({ type }))
  const findings = counts([
    'finding_recorded',
    ...Array.from({ length: 10 }, () => ['finding_recorded', 'competitor_identified']).flat(),
  ])
  await playScenario(
    {
      it: 'the longest research',
      play: [
        { when: asked(seconds(0), { company_name: long, domain: long }), then: [started, called('answer')] },
        { when: asked(seconds(1), { company_name: `other ${long}` }) },
        { when: answer(seconds(1), longest(0)), then: [called('search')] },
        { when: answer(seconds(2), longest(1)), then: [called('scrape')] },
        {
          when: answer(seconds(3), longest(2)),
          then: [
            ...findings,
            ...counts(['finding_recorded', 'finding_recorded', 'finding_recorded', 'review_requested']),
          ],
        },
        {
          when: decided,
          then: counts([
            ...Array.from({ length: 25 }, () => ['finding_recorded', 'competitor_identified']).flat(),
            ...Array.from({ length: 10 }, () => 'finding_recorded'), // those that are not on the person's list
            ...['research_completed', 'research_started', 'call_requested'],
          ]),
        },
      ],
    },
    player,
  )
  const reached = Math.max(...sizes)
  expect(reached).toBeGreaterThan(maxStateBytes / 4) // it is the longest, not a short one
  expect(Math.max(...sizes)).toBeLessThan(maxStateBytes)
})
