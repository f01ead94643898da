/**
 * The addresses of demos. A token is 128 bits that nobody can guess who has not the secret, and follows from tenant and demo:
 * a call that is made again gives the same address, and a new version stands under the old one.
 */

import { createHmac } from 'node:crypto'
import type { ShareLink } from './provider.ts'

export interface ShareLinkOptions {
  readonly secret: Uint8Array
  /** Where people reach us, as `https://app.acme.example`. */
  readonly publicUrl: string
}

export function shareLinks({ secret, publicUrl }: ShareLinkOptions): (tenantId: string, demoId: string) => ShareLink {
  const root = publicUrl.replace(/\/+$/, '')
  return (tenantId, demoId) => {
    const digest = createHmac('sha256', secret)
      .update(JSON.stringify(['demo-link', tenantId, demoId]))
      .digest()
    const share_token = digest.subarray(0, 16).toString('base64url')
    return { share_token, url: `${root}/d/${share_token}` }
  }
}
