/** The client over real HTTP, the practice DocuSign, a store in memory, and a platform that takes webhooks. */

import { createHash, createHmac, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { ProviderCall } from '../../../connectors/effects/port.ts'
import type { DocuSignSettings, FileRef, FileStore } from '../../../connectors/esign/index.ts'
import { docuSignProvider } from '../../../connectors/esign/index.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import type { Json } from '../../../schemas/index.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'

export const start = Date.parse('2026-01-01T00:00:00Z')
export const secret = 'the secret of the sandbox'
export const hour = 3_600_000
export const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
})
export const draft = Buffer.from('%PDF-1.4\na draft\n%%EOF\n')

export class MemoryFiles implements FileStore {
  readonly files = new Map<string, { readonly ref: FileRef; readonly content: Buffer }>()
  failing = false
  puts = 0

  get(key: string): Promise<{ readonly content: Buffer } | null> {
    if (this.failing) return Promise.reject(new Error('away'))
    return Promise.resolve(this.files.get(key) ?? null)
  }
  head(key: string): Promise<FileRef | null> {
    if (this.failing) return Promise.reject(new Error('away'))
    return Promise.resolve(this.files.get(key)?.ref ?? null)
  }
  put(key: string, content: Uint8Array): Promise<FileRef> {
    this.puts += 1
    const sha256 = createHash('sha256').update(content).digest('hex')
    const ref = { bucket: 'b', key, version_id: `v${this.puts}`, sha256, bytes: content.length }
    this.files.set(key, { ref, content: Buffer.from(content) })
    return Promise.resolve(ref)
  }
}

export interface Heard {
  readonly headers: IncomingHttpHeaders
  readonly raw: Buffer
  readonly event: string
  readonly data: { readonly envelopeId: string; readonly recipientId?: string }
  readonly generatedDateTime: string
}

export async function practice(rules: readonly SandboxRule[] = [], more: Partial<DocuSignSettings> = {}) {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      heard.push({ headers: request.headers, raw, ...(JSON.parse(raw.toString()) as Omit<Heard, 'headers' | 'raw'>) })
      response.writeHead(200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'docusign-'))
  const clock = new HandClock(start)
  const open = () =>
    startSandbox({
      directory,
      clock,
      realNow: () => start,
      webhookSecret: secret,
      platformUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    })
  let sandbox = await open()
  if (rules.length > 0) await fetch(`${sandbox.url}/sandbox/script`, { method: 'PUT', body: JSON.stringify(rules) })
  const files = new MemoryFiles()
  for (const tenant of ['tenant-a', 'tenant-b']) await files.put(`tenants/${tenant}/doc.pdf`, draft)
  const clientOf = (): ReturnType<typeof docuSignProvider> =>
    docuSignProvider({
      authUrl: sandbox.baseUrls.docusign,
      baseUrl: sandbox.baseUrls.docusign,
      accountId: 'acc',
      integrationKey: 'key',
      userId: 'user',
      privateKey,
      mode: 'sandbox',
      timeoutMs: 2_000,
      provider: { name: 'Grace', email: 'grace@lifecycle.example' },
      signerOf: (tenant) => Promise.resolve({ name: `Ada of ${tenant}`, email: `ada@${tenant}.example` }),
      files,
      now: () => start,
      ...more,
    })
  onTestFinished(async () => {
    await sandbox.close()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  return {
    heard,
    files,
    clock,
    sandbox: () => sandbox,
    client: clientOf(),
    /** The sandbox is killed and opened again on what it kept. */
    async reopen() {
      await sandbox.close()
      sandbox = await open()
      return clientOf()
    },
    async passTo(at: number) {
      await clock.turnTo(at)
      do await new Promise((resolve) => setTimeout(resolve, 10))
      while (sandbox.isBusy)
    },
    calls: async (operation: string) => {
      const url = `${sandbox.url}/sandbox/calls?provider=docusign&operation=${operation}`
      return ((await (await fetch(url)).json()) as { readonly total: number }).total
    },
  }
}

export const envelope = (tenant = 'tenant-a', transaction_id = 't1'): Json => ({
  transaction_id,
  document: {
    ref: { bucket: 'b', key: `tenants/${tenant}/doc.pdf`, version_id: 'v1', sha256: 'x', bytes: 1 },
    name: 'nda-v1.pdf',
  },
  document_id: 'doc1',
  version: 1,
  document_type: 'nda',
  company: { company_name: 'Acme', domain: 'acme.example' },
  signers: [
    { role: 'client', order: 1 },
    { role: 'provider', order: 2 },
  ],
  expires_in_days: 30,
})

export const call = (operation: string, request: Json, tenantId = 'tenant-a'): ProviderCall => ({
  callId: 'c1',
  operation,
  attempt: 1,
  tenantId,
  organizationId: `organization of ${tenantId}`,
  request,
  signal: new AbortController().signal,
})

export const signatureOf = (raw: Buffer): string => createHmac('sha256', secret).update(raw).digest('base64')
