/** A sandbox on a directory of its own, with a wall clock that stands still. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ProviderCall } from '../../../connectors/effects/port.ts'
import type { Sandbox, SandboxRule } from '../../../connectors/sandbox/index.ts'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import type { Json } from '../../../schemas/index.ts'
import type { Clock } from '../../../topology/index.ts'

export const now = Date.parse('2026-01-01T00:00:00Z')
export const stillClock: Clock = { now: () => now, after: () => () => undefined }

/** Closed, its directory removed, when the test ends. */
export async function sandbox(...script: readonly SandboxRule[]): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'sandbox-'))
  const started = await startSandbox({ directory, clock: stillClock, script })
  onTestFinished(async () => {
    await started.close()
    await rm(directory, { recursive: true })
  })
  return started
}

export const acme: Json = {
  company_name: 'Acme',
  domain: 'acme.example',
  industry: 'Logistics',
  fields: ['company_info', 'competitor', 'pricing', 'tech_stack', 'volume_prediction'],
}

export const call = (operation: string, request: Json = acme, more: Partial<ProviderCall> = {}): ProviderCall => ({
  callId: 'call-1',
  operation,
  attempt: 1,
  tenantId: 'tenant-a',
  organizationId: 'organization-a',
  request,
  signal: new AbortController().signal,
  ...more,
})

export async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T
}

/** Ways a provider can fail, and what the client must make of each; its `timeoutMs` is `patience(rule)`, its `maxBytes` 100,000. */
export const failures: readonly (readonly [
  name: string,
  rule: SandboxRule,
  outcome: Readonly<Record<string, unknown>>,
])[] = [
  [
    '429 with retry-after in seconds',
    { status: 429, headers: { 'retry-after': '7' } },
    { class: 'retry', status: 429, retryAfterMs: 7_000 },
  ],
  [
    '429 with retry-after as a date',
    { status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' } },
    { class: 'retry', status: 429, retryAfterMs: 7_000 },
  ],
  ['500', { status: 500 }, { class: 'retry', status: 500 }],
  ['503', { status: 503 }, { class: 'retry', status: 503 }],
  ['408', { status: 408 }, { class: 'retry', status: 408 }],
  ['400', { status: 400 }, { class: 'invalid', status: 400 }],
  ['401', { status: 401 }, { class: 'auth', status: 401 }],
  ['403', { status: 403 }, { class: 'auth', status: 403 }],
  ['402', { status: 402 }, { class: 'quota', status: 402 }],
  ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/' } }, { class: 'invalid', status: 302 }],
  ['a reset connection', { reset: true }, { class: 'retry', status: 0 }],
]

/** A client waits long on a busy machine, and briefly for what never comes. */
export const patience = (rule: SandboxRule): number => (rule.delay_ms === undefined ? 10_000 : 300)

/** As above, for answers that have a body. */
export const bodyFailures: typeof failures = [
  ['a truncated body', { truncate_at: 20 }, { class: 'retry', status: 200 }],
  ['a body that never comes', { delay_ms: 2_000 }, { class: 'retry', status: 0 }],
  ['a huge body', { pad_to: 5_000_000 }, { class: 'invalid', status: 200 }],
  ['a page instead of JSON', { body: '<html>maintenance</html>' }, { class: 'retry', status: 200 }],
]
