/** What the documents service asks to be drawn up is what the renderer reads, and its prices add up there too. */

import { expect, test } from 'vitest'
import { documentInput } from '../../connectors/rendering/index.ts'
import { documentsDefaults } from '../../processors/index.ts'
import { documentData } from '../../processors/documents/content.ts'
import { quote } from '../../processors/documents/pricing.ts'
import { documentTypes } from '../../processors/documents/state.ts'

test('numbers are written as people read them, and an offer says what comes on top', () => {
  const figures = { seats: 129, conversations: 1_051_590, interval: 'month', discountBasisPoints: 0 } as const
  const of = { document_type: 'pricing', quote: quote(documentsDefaults.pricing, figures) } as const
  const data = documentData(documentsDefaults, of, { company_name: 'Acme', domain: null }, 0)
  expect(data).toMatchObject({
    prices: {
      lines: [
        { description: 'Seats', quantity: 129, unit: 'seats', unit_price_minor: 3_600, amount_minor: 129 * 3_600 },
        { description: 'Conversations', detail: '1,051,590 a month; each further one US$0.03' },
      ],
    },
    notes: [
      'The first 1,000 conversations of a month cost nothing.',
      'More seats or conversations are charged at the prices of this offer.',
      'The offer stands until the date above; its prices hold for the first term.',
    ],
  })
})

test.each(documentTypes)('%s', (document_type) => {
  for (const interval of ['month', 'year'] as const)
    for (const seats of [1, 11, 43, 8_000, 100_000]) {
      const figures = { seats, conversations: seats * 333, interval, discountBasisPoints: 777 }
      const of = { document_type, quote: document_type === 'nda' ? null : quote(documentsDefaults.pricing, figures) }
      for (const company of [{ company_name: 'Acme', domain: 'acme.example' }, { company_name: '' }]) {
        const data = documentData(documentsDefaults, of, company, 1_767_225_600_000)
        const request = {
          document_type,
          document_id: 'd1',
          version: 1,
          data: JSON.parse(JSON.stringify(data)) as unknown,
        }
        expect(documentInput(request).document_type).toBe(document_type)
      }
    }
})
