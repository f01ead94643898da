/**
 * Rendering as an outside call: what is rendered is put into the object store, and the answer says where it stands.
 *
 *   document  { document_type, document_id, version, data }                        -> { ref, missing_characters }
 *   demo      { demo_id, version, personalization, chat_enabled?, seller_name? }  -> { ref, qr_ref, share_token, url }
 *   remove    { keys, demo_id? }                                                     -> { removed: [{ key, version_id }] }
 *
 *  RN1  A call may be repeated: the bytes follow from the request, their hash is in the key, and a put asks that nothing
 *       stands there. What an earlier try left is found and answered.
 *  RN2  Keys are the tenant's own: `tenants/<tenant>/…`. A call of another tenant cannot name them.
 */

import { createHash } from 'node:crypto'
import type { Json } from '../../schemas/index.ts'
import type { CallClass, CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import type { ObjectRef, ObjectStore, StoredObject } from '../storage/index.ts'
import { StorageError, putOnce } from '../storage/index.ts'
import { documentInput, idText, personalization, versionNumber } from './check-inputs.ts'
import { InputError, flag, list, optional, record, refuse, text } from './check.ts'
import { demoPage } from './demo/page.ts'
import { renderDocument } from './documents.ts'
import type { Personalization } from './inputs.ts'
import { qrSvg } from './qr.ts'

export interface RenderingOptions {
  readonly store: ObjectStore
  /** Who shows a demo that does not say it. */
  readonly sellerName: string
  /** The address of a demo and what cannot be guessed in it: the same for every version. */
  readonly shareLink: (tenantId: string, demoId: string) => ShareLink
  readonly concurrency: number
  readonly timeoutMs: number
}

export interface ShareLink {
  readonly share_token: string
  readonly url: string
}

interface DemoRequest {
  readonly demo_id: string
  readonly version: number
  readonly personalization: Personalization
  readonly chat_enabled: boolean | null
  readonly seller_name: string | null
}

const demoRequest = record<DemoRequest>({
  demo_id: idText,
  version: versionNumber,
  personalization,
  chat_enabled: optional(flag),
  seller_name: optional(text(120)),
})

const removeRequest = record<{ readonly keys: readonly string[]; readonly demo_id: string | null }>({
  keys: list(text(900), 0, 1_000),
  demo_id: optional(idText),
})

export function renderingProvider(options: RenderingOptions): Provider {
  const operations: Readonly<Record<string, (call: ProviderCall) => Promise<Json>>> = {
    document: (call) => document(options, call),
    demo: (call) => demo(options, call),
    remove: (call) => remove(options, call),
  }
  return {
    name: 'rendering',
    account: options.store.bucket,
    mode: 'live',
    repeat: 'keyed',
    rate: null,
    concurrency: options.concurrency,
    timeoutMs: options.timeoutMs,
    async call(call) {
      const operation = Object.hasOwn(operations, call.operation) ? operations[call.operation] : undefined
      if (operation === undefined) return failed('invalid', `rendering has no operation "${call.operation}"`)
      try {
        return { class: 'ok', status: 200, output: await operation(call) }
      } catch (error) {
        return failureOf(error, call)
      }
    },
  }
}

async function document({ store }: RenderingOptions, call: ProviderCall): Promise<Json> {
  const input = documentInput(call.request)
  const { pdf, missingCharacters } = await renderDocument(input)
  const name = `documents/${input.document_id}/v${input.version}`
  const ref = await putRendered(store, call, name, 'pdf', pdf, 'application/pdf')
  return { ref: refJson(ref), missing_characters: [...missingCharacters] }
}

async function demo({ store, sellerName, shareLink }: RenderingOptions, call: ProviderCall): Promise<Json> {
  const asked = demoRequest(call.request, 'request')
  const { share_token, url } = shareLink(call.tenantId, asked.demo_id)
  const place = {
    base_path: new URL(url).pathname.replace(/\/+$/, ''),
    chat_enabled: asked.chat_enabled ?? true,
    seller_name: asked.seller_name ?? sellerName,
  }
  const page = Buffer.from(demoPage(asked.personalization, place))
  const qr = Buffer.from(await qrSvg(url))
  const name = `demos/${asked.demo_id}/v${asked.version}`
  const ref = await putRendered(store, call, name, 'html', page, 'text/html; charset=utf-8')
  const qr_ref = await putRendered(store, call, name, 'svg', qr, 'image/svg+xml')
  return { ref: refJson(ref), qr_ref: refJson(qr_ref), share_token, url }
}

/** A delete marker on each; what is gone already stays as it is. */
async function remove({ store }: RenderingOptions, call: ProviderCall): Promise<Json> {
  const { keys } = removeRequest(call.request, 'request')
  const own = `${tenantFolder(call)}/`
  const stranger = keys.findIndex((key) => !key.startsWith(own))
  if (stranger !== -1) return refuse(`request.keys[${stranger}]`, keys[stranger], `a key that begins with ${own}`)
  const removed: { key: string; version_id: string | null }[] = []
  for (const key of keys) {
    call.signal.throwIfAborted()
    removed.push({ key, version_id: (await store.remove(key, call))?.version_id ?? null })
  }
  return { removed }
}

const tenantFolder = ({ tenantId }: ProviderCall): string => `tenants/${tenantId}`

/** RN1. */
function putRendered(
  store: ObjectStore,
  call: ProviderCall,
  name: string,
  extension: string,
  content: Buffer,
  contentType: string,
): Promise<StoredObject> {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16)
  const key = `${tenantFolder(call)}/${name}-${hash}.${extension}`
  return putOnce(store, key, content, { contentType, signal: call.signal })
}

/** As events carry it. */
function refJson({ bucket, key, version_id, sha256, bytes }: ObjectRef): {
  readonly [K in keyof ObjectRef]: ObjectRef[K]
} {
  return { bucket, key, version_id, sha256, bytes }
}

const classes: Readonly<Record<StorageError['reason'], CallClass>> = {
  precondition: 'retry',
  retry: 'retry',
  auth: 'auth',
  quota: 'quota',
  invalid: 'invalid',
  damaged: 'invalid',
}

function failureOf(error: unknown, call: ProviderCall): CallOutcome {
  if (error instanceof InputError) return failed('invalid', error.message)
  if (call.signal.aborted) return failed('retry', 'rendering was left before it was done')
  if (error instanceof StorageError) return failed(classes[error.reason], error.message, error.status)
  // One document that we cannot set must not stop all others.
  return failed('invalid', `rendering failed: ${error instanceof Error ? error.name : 'unknown'}`)
}

const failed = (reason: CallClass, error: string, status = 0): CallOutcome => ({
  class: reason,
  status,
  output: null,
  error,
})
