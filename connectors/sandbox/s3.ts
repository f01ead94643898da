/**
 * S3, for practice: buckets with versions, delete markers and conditional puts, in S3's bytes. The objects are files of
 * the disk store, a folder a bucket, so that they outlive a kill. Signatures must be there; they are not checked.
 */

import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ObjectStore, PutOptions, StoredObject } from '../storage/index.ts'
import { StorageError, diskStore, sha256Of } from '../storage/index.ts'
import type { Answer, Asked, StandIn } from './exchange.ts'
import { answerXml, errorXml, escaped, textIn } from './s3-xml.ts'

interface Bucket {
  readonly store: ObjectStore
  readonly versioning: string
}

/** `/bucket/some/key`; the key is empty for the bucket itself. */
const addressIn = (path: string): { readonly bucket: string; readonly key: string } | null => {
  const found = /^\/([a-z0-9][a-z0-9.-]{1,62})(?:\/(.*))?$/s.exec(path)
  if (found?.[1] === undefined || found[1].includes('..')) return null
  return { bucket: found[1], key: decoded(found[2] ?? '') }
}

const operations: Readonly<Record<string, string>> = {
  'HEAD bucket': 'head_bucket',
  'PUT bucket': 'create_bucket',
  'GET bucket versioning': 'get_versioning',
  'PUT bucket versioning': 'put_versioning',
  'GET bucket versions': 'list_versions',
  'HEAD key': 'head_object',
  'GET key': 'get_object',
  'PUT key': 'put_object',
  'DELETE key': 'delete_object',
}

export function s3(directory: string, clock: { now(): number }): StandIn {
  const buckets = new Map<string, Bucket>()
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(directory))
    if (existsSync(settingsOf(name))) know(name, readFileSync(settingsOf(name), 'utf8'))

  function settingsOf(bucket: string): string {
    return join(directory, bucket, '@versioning')
  }

  function know(name: string, versioning: string): void {
    buckets.set(name, { store: diskStore({ root: join(directory, name), bucket: name, clock }), versioning })
  }

  function keep(name: string, versioning: string): void {
    mkdirSync(join(directory, name), { recursive: true })
    writeFileSync(`${settingsOf(name)}.new`, versioning)
    renameSync(`${settingsOf(name)}.new`, settingsOf(name))
    know(name, versioning)
  }

  async function answer(operation: string, asked: Asked): Promise<Answer> {
    if (!isSigned(asked)) return errorXml(403, 'AccessDenied')
    const address = addressIn(asked.path)
    if (address === null) return errorXml(400, 'InvalidBucketName')
    const bucket = buckets.get(address.bucket)
    if (operation === 'create_bucket') {
      if (bucket !== undefined) return errorXml(409, 'BucketAlreadyOwnedByYou')
      keep(address.bucket, '')
      return answerXml(200, '', { location: `/${address.bucket}` })
    }
    if (bucket === undefined) return errorXml(404, 'NoSuchBucket')
    return bucketAnswer(operation, asked, address, bucket)
  }

  async function bucketAnswer(
    operation: string,
    asked: Asked,
    { bucket: name, key }: { bucket: string; key: string },
    bucket: Bucket,
  ): Promise<Answer> {
    switch (operation) {
      case 'head_bucket':
        return answerXml(200, '')
      case 'get_versioning': {
        const status = bucket.versioning === '' ? '' : `<Status>${bucket.versioning}</Status>`
        return answerXml(200, `<VersioningConfiguration>${status}</VersioningConfiguration>`)
      }
      case 'put_versioning': {
        const status = textIn(asked.body, 'Status')
        if (status !== 'Enabled') return errorXml(501, 'NotImplemented') // this one keeps every version
        keep(name, status)
        return answerXml(200, '')
      }
      case 'list_versions':
        return listed(asked, bucket.store, name)
      default:
        // As S3 before versions are switched on; ours never wants that.
        if (bucket.versioning !== 'Enabled') return errorXml(501, 'NotImplemented')
        return objectAnswer(operation, asked, key, bucket.store).catch(refusalOf)
    }
  }

  return {
    name: 's3',
    recognise({ method, path, query }) {
      const address = addressIn(path)
      if (address === null) return null
      const sub = ['versioning', 'versions'].find((name) => query.has(name))
      const operation =
        operations[`${method} ${address.key === '' ? 'bucket' : 'key'}${sub === undefined ? '' : ` ${sub}`}`]
      return operation === undefined ? null : { operation, companies: [] }
    },
    answer,
    error: (status) => String(errorXml(status, codeOf[status] ?? 'InternalError').body),
  }
}

const codeOf: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  403: 'AccessDenied',
  404: 'NoSuchKey',
  408: 'RequestTimeout',
  412: 'PreconditionFailed',
  503: 'SlowDown',
}

const isSigned = ({ headers }: Asked): boolean =>
  /^AWS4-HMAC-SHA256 Credential=[^,]+, ?SignedHeaders=[^,]+, ?Signature=[0-9a-f]{64}$/.test(
    String(headers['authorization'] ?? ''),
  )

async function objectAnswer(operation: string, asked: Asked, key: string, store: ObjectStore): Promise<Answer> {
  switch (operation) {
    case 'put_object':
      return putObject(asked, key, store)
    case 'delete_object': {
      if (asked.query.has('versionId')) return errorXml(501, 'NotImplemented')
      const marker = await store.remove(key)
      const headers = marker === null ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker.version_id }
      return { status: 204, headers, body: '' }
    }
    default:
      return readObject(asked, key, store)
  }
}

async function putObject(asked: Asked, key: string, store: ObjectStore): Promise<Answer> {
  const checksum = one(asked, 'x-amz-checksum-sha256')
  if (checksum !== null && Buffer.from(checksum, 'base64').toString('hex') !== sha256Of(asked.raw))
    return errorXml(400, 'BadDigest')
  const ifNoneMatch = one(asked, 'if-none-match')
  const ifMatch = one(asked, 'if-match')
  if (ifNoneMatch !== null && ifNoneMatch !== '*') return errorXml(501, 'NotImplemented')
  if (ifMatch !== null && (await store.head(key)) === null) return errorXml(404, 'NoSuchKey')
  const options: PutOptions = {
    contentType: one(asked, 'content-type') ?? 'application/octet-stream',
    ...(ifNoneMatch === null ? {} : { ifNoneMatch: '*' }),
    ...(ifMatch === null ? {} : { ifMatch }),
  }
  const { etag, version_id } = await store.put(key, asked.raw, options)
  const confirmed = checksum === null ? {} : { 'x-amz-checksum-sha256': checksum }
  return answerXml(200, '', { etag, 'x-amz-version-id': version_id, ...confirmed })
}

async function readObject(asked: Asked, key: string, store: ObjectStore): Promise<Answer> {
  const wanted = asked.query.get('versionId') ?? undefined
  const found = await store.get(key, wanted)
  if (found !== null) return { status: 200, headers: headersOf(found), body: found.content }
  const versions = await store.versions(key)
  const asVersion = versions.find((version) => version.version_id === wanted)
  if (asVersion?.deleted === true)
    return errorXml(405, 'MethodNotAllowed', {
      'x-amz-delete-marker': 'true',
      'x-amz-version-id': asVersion.version_id,
    })
  if (wanted !== undefined) return errorXml(404, 'NoSuchVersion')
  const [latest] = versions
  const marker = latest === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': latest.version_id }
  return errorXml(404, 'NoSuchKey', marker)
}

/** The stand-in keeps one entry of metadata: the hash that it has anyway. */
const headersOf = ({ etag, version_id, content_type, sha256 }: StoredObject): Readonly<Record<string, string>> => ({
  etag,
  'x-amz-version-id': version_id,
  'content-type': content_type,
  'x-amz-meta-sha256': sha256,
})

/** Of the key that is the prefix: what our client asks for. */
async function listed(asked: Asked, store: ObjectStore, bucket: string): Promise<Answer> {
  const prefix = asked.query.get('prefix') ?? ''
  try {
    const entries = (await store.versions(prefix)).map(({ version_id, is_latest, deleted }, index) => {
      const tag = deleted ? 'DeleteMarker' : 'Version'
      // The store tells their order, S3 tells times: the newest is given the latest.
      const at = new Date(1_000_000 * 3_600_000 - index).toISOString()
      const fields = `<Key>${escaped(prefix)}</Key><VersionId>${version_id}</VersionId><IsLatest>${is_latest}</IsLatest>`
      return `<${tag}>${fields}<LastModified>${at}</LastModified></${tag}>`
    })
    const head = `<Name>${bucket}</Name><Prefix>${escaped(prefix)}</Prefix><IsTruncated>false</IsTruncated>`
    return answerXml(200, `<ListVersionsResult>${head}${entries.join('')}</ListVersionsResult>`)
  } catch (error) {
    return refusalOf(error)
  }
}

function refusalOf(error: unknown): Answer {
  if (!(error instanceof StorageError)) throw error
  if (error.reason === 'precondition') return errorXml(412, 'PreconditionFailed')
  if (error.reason === 'invalid') return errorXml(400, 'InvalidArgument')
  throw error
}

const one = ({ headers }: Asked, name: string): string | null => {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
