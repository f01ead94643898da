/**
 * Objects in a bucket behind S3's API, with versions.
 *
 *  S31  One request per call: the SDK does not retry, whoever calls does.
 *  S32  The bucket keeps versions before the first put: made and switched on where that is missing and allowed, else one
 *       clear line. Without versions a put would destroy what events refer to.
 *  S33  The sha256 travels with the bytes (S3 checks it) and stays beside them as metadata; `get` checks it again.
 *  S34  An answer without what S3 always says of a version is not S3's, whatever its status: nothing is known, ask again.
 */

import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import type { BucketLocationConstraint, HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { awsEndpoint } from './aws-endpoint.ts'
import { checkKey } from './keys.ts'
import type { ObjectStore, ObjectVersion, PutOptions, ReadObject, StorageCall, StoredObject } from './port.ts'
import { sha256Of } from './put-once.ts'
import { failedCall, isMissing, nameOf, statusOf } from './s3-errors.ts'
import { StorageError } from './storage-error.ts'

export interface S3StoreOptions {
  /** Null: AWS itself. */
  readonly endpoint: string | null
  readonly region: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of one request. */
  readonly timeoutMs: number
}

export function s3Store(options: S3StoreOptions): ObjectStore {
  const { bucket } = options
  const client = clientOf(options)
  let opened: Promise<void> | null = null
  const ready = (): Promise<void> =>
    (opened ??= openBucket(client, options).catch((error: unknown) => {
      opened = null // asked again by the next call
      throw error
    }))

  /** @throws StorageError */
  async function asked<T>(what: string, work: () => Promise<T>): Promise<T> {
    await ready()
    return work().catch((error: unknown) => {
      throw failedCall(what, error)
    })
  }

  async function put(key: string, content: Uint8Array, put: PutOptions): Promise<StoredObject> {
    checkKey(key)
    const sha256 = sha256Of(content)
    const command = new PutObjectCommand({
      ...{ Bucket: bucket, Key: key, Body: content, ContentLength: content.byteLength, ContentType: put.contentType },
      ...{ Metadata: { sha256 }, ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') },
      ...(put.ifNoneMatch === undefined ? {} : { IfNoneMatch: put.ifNoneMatch }),
      ...(put.ifMatch === undefined ? {} : { IfMatch: put.ifMatch }),
    })
    const { VersionId, ETag } = await asked(`put ${key}`, () => client.send(command, sendOptions(put)))
    if (ETag === undefined) throw notOfS3(`put ${key}`)
    if (VersionId === undefined)
      throw new StorageError(
        'invalid',
        `S3: the bucket ${bucket} stored ${key} without a version; switch versioning on`,
      )
    const stored = { bucket, key, version_id: VersionId, sha256, bytes: content.byteLength }
    return { ...stored, etag: ETag, content_type: put.contentType }
  }

  async function get(key: string, versionId?: string, call?: StorageCall): Promise<ReadObject | null> {
    checkKey(key)
    const command = new GetObjectCommand(addressOf(key, versionId))
    return asked(`get ${key}`, async () => {
      const found = await client.send(command, sendOptions(call)).catch(missing)
      if (found === null) return null
      if (found.VersionId === undefined) throw notOfS3(`get ${key}`)
      const content = Buffer.from((await found.Body?.transformToByteArray()) ?? [])
      const sha256 = sha256Of(content)
      if (found.Metadata?.['sha256'] !== undefined && found.Metadata['sha256'] !== sha256)
        throw new StorageError('damaged', `S3: the bytes of ${key} do not have their sha256`)
      return { ...storedOf(key, found), sha256, bytes: content.byteLength, content }
    })
  }

  async function head(key: string, versionId?: string, call?: StorageCall): Promise<StoredObject | null> {
    checkKey(key)
    const command = new HeadObjectCommand(addressOf(key, versionId))
    return asked(`head ${key}`, async () => {
      const found = await client.send(command, sendOptions(call)).catch(missing)
      if (found !== null && found.VersionId === undefined) throw notOfS3(`head ${key}`)
      return found === null ? null : storedOf(key, found)
    })
  }

  async function versions(key: string, call?: StorageCall): Promise<readonly ObjectVersion[]> {
    checkKey(key)
    return asked(`versions of ${key}`, () => listed(client, bucket, key, call))
  }

  async function remove(key: string, call?: StorageCall): Promise<{ readonly version_id: string } | null> {
    if ((await head(key, undefined, call)) === null) return null
    const command = new DeleteObjectCommand({ Bucket: bucket, Key: key })
    const { VersionId } = await asked(`remove ${key}`, () => client.send(command, sendOptions(call)))
    if (VersionId === undefined) throw notOfS3(`remove ${key}`)
    return { version_id: VersionId }
  }

  const addressOf = (key: string, versionId: string | undefined) => ({
    ...{ Bucket: bucket, Key: key },
    ...(versionId === undefined ? {} : { VersionId: versionId }),
  })

  const storedOf = (key: string, found: HeadObjectCommandOutput): StoredObject => ({
    ...{ bucket, key, version_id: found.VersionId ?? '', sha256: found.Metadata?.['sha256'] ?? '' },
    ...{ bytes: found.ContentLength ?? 0, etag: found.ETag ?? '', content_type: found.ContentType ?? '' },
  })

  return { bucket, kind: 's3', ready, put, get, head, versions, remove, close: () => client.destroy() }
}

function clientOf({ endpoint, region, accessKeyId, secretAccessKey, timeoutMs }: S3StoreOptions): S3Client {
  return new S3Client({
    endpoint: endpoint ?? awsEndpoint(region),
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
    requestHandler: {
      requestTimeout: timeoutMs,
      connectionTimeout: Math.min(timeoutMs, 10_000),
      throwOnRequestTimeout: true,
    },
  })
}

/** S34 */
const notOfS3 = (what: string): StorageError =>
  new StorageError('retry', `S3 answered something that is not its own (${what})`)

const sendOptions = (call: StorageCall | undefined) => (call?.signal === undefined ? {} : { abortSignal: call.signal })

/** Not there, or a delete marker on top. S3 answers 405 for a version that is a delete marker. */
function missing(error: unknown): null {
  if (isMissing(error) || statusOf(error) === 405) return null
  throw error
}

async function listed(client: S3Client, bucket: string, key: string, call?: StorageCall): Promise<ObjectVersion[]> {
  const found: { readonly version: ObjectVersion; readonly at: number }[] = []
  let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {}
  while (next !== null) {
    const page: ListPage = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: key, ...next } as { Bucket: string; Prefix: string }),
      sendOptions(call),
    )
    if (page.Name === undefined) throw notOfS3(`versions of ${key}`)
    for (const [list, deleted] of [
      [page.Versions, false],
      [page.DeleteMarkers, true],
    ] as const)
      for (const { Key, VersionId = '', IsLatest = false, LastModified } of list ?? [])
        if (Key === key)
          found.push({
            version: { version_id: VersionId, is_latest: IsLatest, deleted },
            at: LastModified?.getTime() ?? 0,
          })
    // Keys come in order: what begins with this one and is longer comes after it.
    const isPast = (page.NextKeyMarker ?? '') > key
    next =
      page.IsTruncated === true && !isPast
        ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
        : null
  }
  // Within each list S3 keeps the newest first; between the two only the time (to the second or so) and the flag tell.
  found.sort((a, b) => Number(b.version.is_latest) - Number(a.version.is_latest) || b.at - a.at)
  return found.map(({ version }) => version)
}

interface ListPage {
  readonly Name?: string | undefined
  readonly Versions?: readonly ListedVersion[] | undefined
  readonly DeleteMarkers?: readonly ListedVersion[] | undefined
  readonly IsTruncated?: boolean | undefined
  readonly NextKeyMarker?: string | undefined
  readonly NextVersionIdMarker?: string | undefined
}

interface ListedVersion {
  readonly Key?: string | undefined
  readonly VersionId?: string | undefined
  readonly IsLatest?: boolean | undefined
  readonly LastModified?: Date | undefined
}

/** S32. @throws StorageError with one line that says what is missing */
async function openBucket(client: S3Client, { bucket, region }: S3StoreOptions): Promise<void> {
  const send = <T>(what: string, sent: Promise<T>): Promise<T> =>
    sent.catch((error: unknown) => {
      throw failedCall(`${what} ${bucket}`, error)
    })
  const exists = await send(
    'look for the bucket',
    client.send(new HeadBucketCommand({ Bucket: bucket })).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false
        throw error
      },
    ),
  )
  if (!exists) await send('make the bucket', makeBucket(client, bucket, region))
  const isVersioned = async (): Promise<boolean> => {
    const asked = client.send(new GetBucketVersioningCommand({ Bucket: bucket }))
    return (await send('see the versioning of', asked)).Status === 'Enabled'
  }
  if (await isVersioned()) return
  await send(
    'switch versions on in',
    client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } })),
  )
  if (!(await isVersioned())) throw notOfS3(`switch versions on in ${bucket}`)
}

async function makeBucket(client: S3Client, bucket: string, region: string): Promise<void> {
  const elsewhere = { CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint } }
  const command = new CreateBucketCommand({ Bucket: bucket, ...(region === 'us-east-1' ? {} : elsewhere) })
  await client.send(command).catch((error: unknown) => {
    // Another process of ours was faster.
    if (nameOf(error) !== 'BucketAlreadyOwnedByYou') throw error
  })
}
