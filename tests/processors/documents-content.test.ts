/** What the documents service asks to be drawn up is what the renderer reads, and its prices add up there too. */

import { expect, test } from 'vitest'
import { documentInput } from '../../connectors/rendering/index.ts'
import { documentsDefaults } from '../../processors/index.ts'
import { documentData } from '../../processors/documents/content.ts'
import { quote } from '../../processors/documents/pricing.ts'
import { documentTypes } from '../../processors/documents/state.ts'

test('numbers are written as people read them, and an offer says once that it is without tax', () => {
  const figures = { seats: 129, conversations: 1_051_590, interval: 'month', discountBasisPoints: 0 } as const
  const of = { document_type: 'pricing', quote: quote(documentsDefaults.pricing, figures) } as const
  const data = documentData(documentsDefaults, of, { company_name: 'Acme', domain: null }, 0)
  expect(JSON.stringify(data)).toContain('"1,051,590 a month"')
  expect(JSON.stringify(data)).toContain('"129 seats"')
  expect(data).toMatchObject({ notes: [] })
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
