/** What the processors ask to be written, and the templates it is written by. */

import { expect, test } from 'vitest'
import { render, templates } from '../../../connectors/mail/index.ts'
import { communicationService } from '../../../processors/index.ts'
import { playScenario, servicePlayer } from '../../../processors/scenario.ts'
import { scenariosOf } from '../../processors/scenarios.ts'

test('every message that outreach asks for has a template with all its values, in both tenants alike', async () => {
  const service = communicationService()
  const asked = new Set<string>()
  for (const scenario of await scenariosOf(service))
    for (const { event } of await playScenario(scenario, servicePlayer(service))) {
      if (event.event_type !== 'message_requested') continue
      const name = String(event['template'])
      asked.add(name)
      const template = templates[name]
      expect(template, name).toBeDefined()
      // Where it can be paid is read when the letter is sent.
      const { invoice, ...told } = event['data'] as Readonly<Record<string, unknown>>
      const referred =
        event['data_ref'] === `stripe.invoices:${String(invoice)}` ? { pay_url: 'https://pay.example' } : {}
      const rendered = render(template!, { ...told, invoice, ...referred })
      expect(rendered.kind, `${name}: ${rendered.kind === 'missing' ? rendered.name : ''}`).toBe('text')
    }
  // Each template of outreach is asked for by some scenario: what greets by name is one of them.
  const greeting = Object.entries(templates).filter(([, { text }]) => text.includes('{first_name}'))
  expect([...asked].filter((name) => name in templates && name !== 'verify_email').sort()).toEqual(
    greeting.map(([name]) => name).sort(),
  )
})
