/** The providers as the product wires them: each tenant's language-model calls are paid from its own budget, in SQL. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LlmCallRequest } from '../../connectors/llm/index.ts'
import { dayOf, sqlLedger } from '../../connectors/llm/index.ts'
import { openPool } from '../../connectors/postgres/index.ts'
import { startSandbox } from '../../connectors/sandbox/index.ts'
import type { Environment } from '../../deploy/config.ts'
import { readConfig } from '../../deploy/config.ts'
import type { StreamFoundation } from '../../deploy/foundation.ts'
import { scratchDatabase } from '../../deploy/local/scratch-database.ts'
import { providersAt } from '../../deploy/providers.ts'
import type { Json } from '../../schemas/index.ts'
import { call } from '../connectors/sandbox/start.ts'

const tenants = ['0a000000-0000-4000-8000-00000000000a', '0a000000-0000-4000-8000-00000000000b']
const request: LlmCallRequest = {
  system: 'Be brief.',
  messages: [{ role: 'user', content: 'Good day' }],
  max_output_tokens: 100,
}

function configOf(environment: Environment) {
  const read = readConfig(environment)
  if ('errors' in read) throw new Error(read.errors.join('\n'))
  return read.config
}

test('language models answer out of the sandbox, within the budget of their tenant', async () => {
  await using database = await scratchDatabase()
  const effects = openPool(database.urls.effects, { applicationName: 'test-effects' })
  const directory = await mkdtemp(join(tmpdir(), 'providers-'))
  const sandbox = await startSandbox({ directory, clock: { now: () => 0 } })
  try {
    const config = configOf({ LLM_TENANT_DAILY_BUDGET_MICRODOLLARS: '3000' })
    const foundation = { config, secrets: { code: 'c'.repeat(32) }, pools: { effects } } as unknown as StreamFoundation
    const llm = providersAt(foundation, sandbox.baseUrls).find(({ name }) => name === 'llm')!
    expect(llm).toMatchObject({ mode: 'sandbox', repeat: 'may-repeat', rate: null, concurrency: 16 })
    expect(llm.timeoutMs).toBeGreaterThan(60_000)
    const ask = (tenantId: string, attempt: number, operation = 'complete', asked: unknown = request) =>
      llm.call(call(operation, asked as Json, { tenantId, attempt }))
    const first = await ask(tenants[0]!, 1)
    expect(first).toMatchObject({ class: 'ok', output: { vendor: 'openai', model: 'gpt-6-luna' } })
    const second = await ask(tenants[0]!, 3)
    expect(second).toMatchObject({ class: 'ok', output: { vendor: 'anthropic', model: 'claude-sonnet-5-5' } })
    expect(await ask(tenants[0]!, 1, 'embed', { texts: ['a'] })).toMatchObject({ class: 'ok' })
    const ledger = sqlLedger(effects)
    const today = dayOf(Date.now())
    const spent = first.costMicrodollars! + second.costMicrodollars! + 1
    expect(await ledger.spent(tenants[0]!, today)).toBe(spent)
    await ledger.reserve({ tenantId: tenants[0]!, day: today, microdollars: 3_000 - spent }, 3_000)
    expect(await ask(tenants[0]!, 1)).toMatchObject({ class: 'quota', output: null })
    expect(await ask(tenants[1]!, 1)).toMatchObject({ class: 'ok' })
  } finally {
    await sandbox.close()
    await effects.end()
    await rm(directory, { recursive: true })
  }
})

test('a live vendor is asked at its address with its key, and the other not at all', () => {
  const pools = { effects: {} }
  const secrets = { code: 'c'.repeat(32) }
  const given = { PERPLEXITY_API_KEY: 'k'.repeat(8), WEBSCRAPER_API_KEY: 'k'.repeat(8), OPENAI_API_KEY: 'k'.repeat(8) }
  const foundation = { config: configOf(given), secrets, pools } as unknown as StreamFoundation
  const llm = providersAt(foundation, null).find(({ name }) => name === 'llm')
  expect(llm).toMatchObject({ mode: 'live', account: 'live', rate: { capacity: 500, refillPerMs: 500 / 60_000 } })
})
