/** AWS is asked where its own SDK would ask, whatever the environment says. */

import { S3Client } from '@aws-sdk/client-s3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { awsEndpoint } from '../../../connectors/storage/aws-endpoint.ts'

/** Where the SDK would send a request of this bucket; nothing is sent. */
async function asked(endpoint: string | null, region: string): Promise<string> {
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' }
  const client = new S3Client({ ...(endpoint === null ? {} : { endpoint }), region, credentials, forcePathStyle: true })
  onTestFinished(() => client.destroy())
  let url = ''
  client.middlewareStack.add(
    () => async (args) => {
      const { protocol, hostname, path } = args.request as { protocol: string; hostname: string; path: string }
      url = `${protocol}//${hostname}${path}`
      throw new Error('not sent')
    },
    { step: 'finalizeRequest', priority: 'low' },
  )
  const { HeadBucketCommand } = await import('@aws-sdk/client-s3')
  await client.send(new HeadBucketCommand({ Bucket: 'acme' })).catch(() => undefined)
  return url
}

describe.each(['us-east-1', 'eu-central-1', 'cn-north-1'])('%s', (region) => {
  test('is where the SDK finds it', async () => {
    expect(await asked(awsEndpoint(region), region)).toBe(await asked(null, region))
  })

  test('is not moved by the environment, as the SDK alone would be', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://elsewhere.test')
    onTestFinished(() => void vi.unstubAllEnvs())
    expect(await asked(null, region)).toContain('elsewhere.test')
    expect(await asked(awsEndpoint(region), region)).not.toContain('elsewhere.test')
  })
})
