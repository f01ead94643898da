/** Signatures: DocuSign where it is configured, else the sandbox's. */

import { generateKeyPairSync } from 'node:crypto'
import type { Provider } from '../connectors/effects/index.ts'
import type { FileStore } from '../connectors/esign/index.ts'
import { docuSignProvider } from '../connectors/esign/index.ts'
import { ownerReader } from '../connectors/owners/index.ts'
import type { StreamFoundation } from './foundation.ts'
import { machineClock } from './machine.ts'

/**
 * @param sandboxUrl where the sandbox answers for DocuSign; null when DocuSign is live
 * @param files where documents stand
 */
export function signatures(foundation: StreamFoundation, sandboxUrl: string | null, files: FileStore): Provider {
  const { providers, signer } = foundation.config
  const { mode, baseUrl, authUrl, apiKey, privateKey, userId, accountId, ...limits } = providers.docusign
  const { timeoutMs, concurrency, ratePerMinute } = limits
  return docuSignProvider({
    mode,
    baseUrl: baseUrl ?? sandboxUrl,
    authUrl: authUrl ?? sandboxUrl ?? '',
    integrationKey: apiKey ?? 'sandbox',
    userId,
    accountId,
    privateKey: privateKey ?? practiceKey(),
    timeoutMs,
    concurrency,
    rate: ratePerMinute === null ? null : { capacity: ratePerMinute, refillPerMs: ratePerMinute / 60_000 },
    provider: signer,
    signerOf: ownerReader(foundation.pools.effects),
    files,
    now: () => machineClock.now(),
  })
}

/** The sandbox looks at the shape of a signature alone: any key does. */
const practiceKey = (): string =>
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
