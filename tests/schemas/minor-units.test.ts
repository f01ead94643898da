/** One amount, as each of those who write it has it: a mail, a PDF, a contract's words, the console. */

import { expect, test } from 'vitest'
import { money as inConsole } from '../../api/console/browser/format.ts'
import { money as onPaper } from '../../connectors/rendering/money.ts'
import { inWords } from '../../processors/documents/figures.ts'
import { moneyOf as inMail } from '../../processors/outreach/write.ts'
import { decimalsOf } from '../../schemas/index.ts'

const numeral = (text: string): string => text.replaceAll(/[^\d.,]/g, '').replace(/^[.,]+|[.,]+$/g, '')

test('is the same amount everywhere, in every currency', () => {
  for (const currency of Intl.supportedValuesOf('currency')) {
    const written = [inConsole, onPaper, inWords, inMail].map((write) => numeral(write(1_234_567, currency)))
    expect(new Set(written), currency).toEqual(new Set([written[0]]))
  }
})

test.each([
  ['EUR', 2, '12,345.67'],
  ['HUF', 2, '12,345.67'],
  ['IDR', 2, '12,345.67'],
  ['JPY', 0, '1,234,567'],
  ['KWD', 3, '1,234.567'],
  ['jpy', 0, '1,234,567'],
])('%s has %i decimals: %s', (currency, decimals, amount) => {
  expect(decimalsOf(currency)).toBe(decimals)
  for (const write of [inConsole, onPaper, inWords, inMail]) expect(numeral(write(1_234_567, currency))).toBe(amount)
})
