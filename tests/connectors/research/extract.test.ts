import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ResearchQuestion } from '../../../connectors/research/index.ts'
import { boundAnswer, researchFields } from '../../../connectors/research/index.ts'
import type { Document } from '../../../connectors/research/extract.ts'
import { claimsFrom } from '../../../connectors/research/extract.ts'

const question: ResearchQuestion = { company_name: 'Acme', domain: 'acme.test', industry: null, fields: researchFields }
const page = (url: string, text: string, title = ''): Document => ({ url, title, text, date: null })

const values = (...documents: readonly Document[]) =>
  claimsFrom(question, documents).map(({ field, value, sources }) => ({
    field,
    value,
    from: sources.map(({ url }) => url),
  }))

test('reads competitors from comparisons and lists, each with the pages that name it', () => {
  const found = values(
    page('https://g2.test/a', 'Compare.', 'Acme vs Globex'),
    page('https://list.test/b', 'Top alternatives to Acme: Globex, Initech and Hooli Cloud. Read on.'),
  ).filter(({ field }) => field === 'competitor')
  expect(found.map(({ value }) => value['name'])).toEqual(['Globex', 'Initech', 'Hooli Cloud'])
  expect(found[0]?.from).toEqual(['https://g2.test/a', 'https://list.test/b'])
})

test('reads figures, prices and technologies', () => {
  const found = values(
    page(
      'https://acme.test/',
      'Acme moves things. Founded in 2011, headquartered in Berlin, with 1,200 employees and 3k customers.',
    ),
    page('https://acme.test/pricing', 'From $49.50 per user. We run on Kafka and PostgreSQL, not Kafkaesque.'),
  )
  const of = (name: string) => found.find(({ field }) => field === name)?.value
  expect(of('company_info')).toMatchObject({ employees: 1_200, founded: 2_011, headquarters: 'Berlin' })
  expect(of('pricing')).toEqual({ model: 'subscription', starting_price: 49.5, currency: 'USD', unit: 'user' })
  expect(of('tech_stack')).toEqual({ technologies: ['PostgreSQL', 'Kafka'] })
  expect(of('volume_prediction')).toEqual({ monthly_conversations: 300, basis: '3000 customers' })
})

test('a page that is not about the company counts for nothing', () => {
  expect(values(page('https://other.test/', 'Globex is headquartered in Bonn, 12 employees.'))).toEqual([])
  expect(values(page('https://notacme.test/', 'nothing here'), page('no address', 'Acme'))).toEqual([])
})

test('whatever the pages hold, the answer is bounded and quick', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 400 })
  const wild = fc.oneof(
    text,
    text.map((t) => `Acme vs ${t}. competitors include ${t}, ${t}. $1 per user`),
  )
  const pages = fc.array(fc.record({ url: fc.webUrl(), title: wild, text: wild, date: fc.constant(null) }), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(pages, fc.string({ minLength: 1, maxLength: 60 }), (documents, company_name) => {
      const asked = { ...question, company_name }
      const answer = boundAnswer(asked, { searched: true, claims: claimsFrom(asked, documents) })
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(64 * 1024)
    }),
  )
  const long = 'competitors include '.repeat(100_000)
  expect(claimsFrom(question, [page('https://acme.test/', long)]).length).toBeGreaterThan(0)
})
