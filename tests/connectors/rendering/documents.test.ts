import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { DocumentInput, Party } from '../../../connectors/rendering/index.ts'
import { InputError, documentInput, renderDocument } from '../../../connectors/rendering/index.ts'
import {
  contract,
  documents,
  euros,
  issuedAt,
  japanese,
  manyLines,
  nda,
  pricing,
  seller,
  tokyo,
  zlut,
} from './fixtures.ts'
import { readPdf } from './pdf-text.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const rendered = async (input: DocumentInput) => readPdf((await renderDocument(input)).pdf)
const textOf = async (input: DocumentInput) => (await rendered(input)).pages.join('\n')
const all = [...documents, japanese]
const named = all.map((input) => [input.document_id, input] as const)

describe('a document', () => {
  test.each(named)('%s says what it always said', async (id, input) => {
    const { pages } = await rendered(input)
    await expect(`${pages.join('\n\n— page —\n\n')}\n`).toMatchFileSnapshot(`../../golden/documents/${id}.txt`)
  })

  test.each(named)('%s is the same bytes for the same input, and others for another', async (_, input) => {
    const first = await renderDocument(input)
    expect(sha256((await renderDocument(documentInput(structuredClone(input)))).pdf)).toBe(sha256(first.pdf))
    expect(sha256((await renderDocument({ ...input, version: input.version + 1 })).pdf)).not.toBe(sha256(first.pdf))
  })

  test('is the same bytes in another process, at another time and in another time zone', async () => {
    const program = join(import.meta.dirname, 'render-nda.ts')
    const environment = { ...process.env, TZ: 'Pacific/Auckland', LANG: 'de_DE.UTF-8' }
    const { stdout } = await promisify(execFile)(process.execPath, [program], { env: environment })
    expect(stdout).toBe(sha256((await renderDocument(documents[0]!)).pdf))
  })

  test.each(named)('%s has its id, version and page on every page', async (_, input) => {
    const { pages } = await rendered(input)
    pages.forEach((page, index) => {
      expect(page).toContain(`${input.document_id} · version ${input.version}`)
      expect(page).toContain(`Page ${index + 1} of ${pages.length}`)
    })
  })

  test('the file was made when the document was, and says whose it is', async () => {
    const { info } = await rendered(documents[0]!)
    expect(info).toMatchObject({
      CreationDate: 'D:20261126093000Z',
      Title: `Non-disclosure agreement: ${seller.name} and ${zlut.name}`,
      Subject: 'doc-0191-nda, version 1',
      Author: seller.name,
      Language: 'en-GB',
    })
    expect(issuedAt).toBe(Date.UTC(2026, 10, 26, 9, 30))
  })
})

describe('signatures', () => {
  test.each([
    ['doc-0191-nda', ['/sig1/', '/date1/', '/sig2/', '/date2/']],
    ['doc-0191-proposal', ['/sig1/', '/date1/', '/sig2/', '/date2/']],
    ['doc-0191-contract', ['/sig1/', '/date1/', '/sig2/', '/date2/']],
    ['doc-0191-pricing', ['/sig1/', '/date1/']],
  ])('%s has each anchor once, all on one page, within the paper', async (id, wanted) => {
    const { places } = await rendered(documents.find(({ document_id }) => document_id === id)!)
    const anchors = places.filter(({ text }) => /^\/(sig|date)\d+\/$/.test(text))
    expect(anchors.map(({ text }) => text).sort()).toEqual([...wanted].sort())
    expect(new Set(anchors.map(({ page }) => page)).size).toBe(1)
    for (const { x, y } of anchors) expect(x > 40 && x < 560 && y > 60 && y < 800).toBe(true)
  })

  test('the first signer is the client: its anchor stands left, below its name', async () => {
    const { places } = await rendered(documents[0]!)
    const sign = places.find(({ text }) => text === '/sig1/')!
    const above = places.filter(({ page, y }) => page === sign.page && y > sign.y && y < sign.y + 80)
    const at = (text: string) => [...above, ...places].find((place) => place.text === text)!
    expect(at(zlut.name).x).toBeLessThan(at(seller.name).x)
    expect(sign.x).toBeLessThan(at('/sig2/').x)
    expect(sign.x - at(zlut.name).x).toBeLessThan(10)
  })

  test('nobody signs a page without text of the agreement', async () => {
    for (const term_months of [1, 12, 120])
      for (const purpose of ['talks', nda.purpose, `${nda.purpose}, ${nda.purpose}, ${nda.purpose}`]) {
        const { pages } = await rendered({ ...documents[0]!, data: { ...nda, term_months, purpose } } as DocumentInput)
        expect(pages.at(-1)).toMatch(/\n9\. Law and courts\n/)
      }
  })
})

describe('money', () => {
  test('yen have no decimals, cents have two, dinars three', async () => {
    expect(await textOf(japanese)).toContain('JP¥4,500,000')
    expect(await textOf(japanese)).not.toContain('¥4,500,000.')
    expect(await textOf(documents[1]!)).toContain('€8,782.20')
    const lines = [
      { description: 'Seat', quantity: 1, unit: 'seat', unit_price_minor: 1_234_567, amount_minor: 1_234_567 },
    ]
    const dinars = {
      currency: 'KWD',
      interval: 'once',
      lines,
      discounts: [],
      subtotal_minor: 1_234_567,
      total_minor: 1_234_567,
    } as const
    expect(await textOf({ ...documents[1]!, data: { ...pricing, prices: dinars } } as DocumentInput)).toMatch(
      /KWD\s1,234\.567/,
    )
  })

  test.each([
    [
      'a line',
      { ...euros, lines: [{ ...euros.lines[0]!, amount_minor: 588_001 }, ...euros.lines.slice(1)] },
      'data.prices.lines[0].amount_minor: 588001 is given; wanted quantity times unit price: 588000',
    ],
    [
      'a tier',
      {
        ...euros,
        lines: [{ ...euros.lines[0]!, unit_price_minor: 3_900, amount_minor: 468_000 }, ...euros.lines.slice(1)],
      },
      "data.prices.lines[0].unit_price_minor: 3900 is given; wanted its tier's price: 4900",
    ],
    [
      'tiers together',
      { ...euros, lines: [euros.lines[0]!, { ...euros.lines[1]!, amount_minor: 195_000 }, euros.lines[2]!] },
      'data.prices.lines[1].amount_minor: 195000 is given; wanted what the tiers come to: 210000',
    ],
    [
      'the subtotal',
      { ...euros, subtotal_minor: 815_999 },
      'data.prices.subtotal_minor: 815999 is given; wanted the sum of the lines: 816000',
    ],
    [
      'a discount',
      { ...euros, discounts: [{ label: 'x', percent_bp: 1_250, amount_minor: 112_000 }] },
      'data.prices.discounts[0].amount_minor: 112000 is given; wanted its part of the subtotal: 102000',
    ],
    [
      'the tax',
      { ...euros, tax: { label: 'VAT', rate_bp: 2_000, amount_minor: 164_220 } },
      'data.prices.tax.amount_minor: 164220 is given; wanted its part of the net amount: 142800',
    ],
    [
      'the total',
      { ...euros, total_minor: 878_221 },
      'data.prices.total_minor: 878221 is given; wanted subtotal less discounts plus tax: 878220',
    ],
    [
      'the discounts',
      { ...euros, discounts: [{ label: 'x', amount_minor: 900_000 }] },
      'data.prices.discounts: 84000 is given; wanted discounts not above the subtotal',
    ],
  ])('%s that does not add up is never printed', (_, prices, line) => {
    const input = { document_type: 'pricing', document_id: 'd', version: 1, data: { ...pricing, prices } }
    expect(() => documentInput(input)).toThrow(new InputError(line))
  })
})

test('a long table goes on over pages, its head is there again, no row is lost or torn', async () => {
  const { pages } = await rendered({ ...documents[1]!, data: { ...pricing, prices: manyLines(90) } } as DocumentInput)
  const withRows = pages.filter((page) => /^Module \d+ /m.test(page))
  expect(withRows.length).toBeGreaterThan(4)
  for (const page of withRows) expect(page.match(/^Item Quantity Unit price Amount$/gm)).toHaveLength(1)
  const rows = pages.flatMap((page) =>
    [...page.matchAll(/^Module (\d+) (\d+) €12\.50 €[\d,.]+$/gm)].map((found) => Number(found[1])),
  )
  expect(rows).toEqual(Array.from({ length: 90 }, (_, index) => index + 1))
})

describe('names of the world', () => {
  const withClient = (client: Partial<Party>): DocumentInput =>
    ({ ...documents[0]!, data: { ...nda, client: { ...zlut, ...client } } }) as DocumentInput

  test.each([
    'Žluťoučký kůň a. s.',
    'Ελληνική Ναυτιλία Α.Ε.',
    'ООО «Ромашка»',
    'Công ty Cổ phần Sài Gòn',
    '日本商事株式会社',
    '주식회사 한빛',
    'Ǻrø & Sønner A/S',
  ])('%s is set whole', async (name) => {
    const { pdf, missingCharacters } = await renderDocument(documentInput(withClient({ name })))
    expect(missingCharacters).toEqual([])
    expect((await readPdf(pdf)).pages[0]).toContain(name)
  })

  test('a decomposed name is set like a composed one', async () => {
    const composed = await renderDocument(documentInput(withClient({ name: 'Müller Čáp'.normalize('NFC') })))
    const decomposed = await renderDocument(documentInput(withClient({ name: 'Müller Čáp'.normalize('NFD') })))
    expect(sha256(decomposed.pdf)).toBe(sha256(composed.pdf))
  })

  test('what no typeface has is a box, and is told', async () => {
    const { pdf, missingCharacters } = await renderDocument(withClient({ name: 'ACME ᚠᚢ 🚀' }))
    expect(missingCharacters).toEqual(['ᚠ', 'ᚢ', '🚀'])
    expect((await readPdf(pdf)).pages[0]).toContain('ACME □□ □')
  })

  test('a name that fills lines breaks, within its box', async () => {
    const { places } = await rendered(
      withClient({
        name: 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(2),
      }),
    )
    for (const { x } of places) expect(x).toBeLessThan(540)
    expect(tokyo.name).toHaveLength(8)
  })
})

test.each([
  ['no data', {}, 'request.document_type: nothing is given; wanted nda or pricing or proposal or contract'],
  [
    'a stray field',
    { ...documents[0], data: { ...nda, mutal: true } },
    'data.mutal: true is given; wanted no such field',
  ],
  [
    'a missing field',
    { ...documents[0], data: { ...nda, purpose: undefined } },
    'data.purpose: nothing is given; wanted a text',
  ],
  [
    'cents that are not whole',
    { ...documents[3], data: { ...contract, prices: { ...euros, total_minor: 1.5 } } },
    'data.prices.total_minor: 1.5 is given; wanted a whole number from 0 to 1000000000000',
  ],
  [
    'a currency that is none',
    { ...documents[3], data: { ...contract, prices: { ...euros, currency: 'EUX' } } },
    'data.prices.currency: a text of 3 characters is given; wanted a currency of ISO 4217, as EUR',
  ],
  [
    'an id that leads elsewhere',
    { ...documents[0], document_id: '../x' },
    'request.document_id: a text of 4 characters is given; wanted an id of letters, digits, . _ -',
  ],
  [
    'a control character',
    { ...documents[0], data: { ...nda, purpose: 'a\u0000b' } },
    'data.purpose: a text of 3 characters is given; wanted a text without control characters',
  ],
])('%s is refused in one line that repeats no text', (_, input, line) => {
  expect(() => documentInput(input)).toThrow(new InputError(line))
})
