/** The endpoints that providers post to: those of the configuration, and `sandbox` for the stand-ins. */

import { createHmac } from 'node:crypto'
import type { Counter } from 'prom-client'
import type { Ingest, Webhooks, WebhookSecrets } from '../api/index.ts'
import {
  createWebhooks,
  docuSignWebhooks,
  postgresWaitingRoom,
  sendGridWebhooks,
  stripeWebhooks,
  webhookDefaults,
} from '../api/index.ts'
import { secretBox } from '../connectors/keys/index.ts'
import { stripeApiVersion } from '../connectors/payments/index.ts'
import { sandboxMailKey } from '../connectors/sandbox/index.ts'
import type { Config, Secrets } from './config.ts'
import { machineClock } from './machine.ts'
import type { Running } from './running.ts'

/** What the sandbox signs with: the same for all processes of an installation, and known to nobody else. */
export const sandboxWebhookSecret = ({ code }: Pick<Secrets, 'code'>): string =>
  createHmac('sha256', code).update('webhooks of the sandbox').digest('hex')

/** An endpoint `sandbox` exists exactly where the provider is one. */
export function webhookSecrets(config: Pick<Config, 'webhooks' | 'providers'>, secret: string): WebhookSecrets {
  const { docusign, sendgrid, stripe } = config.webhooks
  const practice = (mode: 'sandbox' | 'live', key = secret) => (mode === 'sandbox' ? { sandbox: [key] } : {})
  return {
    docusign: { ...docusign, ...practice(config.providers.docusign.mode) },
    stripe: { ...stripe, ...practice(config.providers.stripe.mode) },
    sendgrid: { ...sendgrid, ...practice(config.providers.sendgrid.mode, sandboxMailKey(secret)) },
  }
}

/** @param counter by `provider` and `outcome` */
export function openWebhooks({ foundation }: Running, ingest: Ingest, counter: Counter): Webhooks {
  const { config, secrets, pools } = foundation
  return createWebhooks({
    verifiers: [docuSignWebhooks, sendGridWebhooks, stripeWebhooks(stripeApiVersion)],
    secrets: webhookSecrets(config, sandboxWebhookSecret(secrets)),
    ingest,
    room: postgresWaitingRoom(pools.auth, secretBox(secrets.code, 'webhooks that wait')),
    clock: machineClock,
    settings: { ...webhookDefaults, bodyLimitBytes: config.http.bodyLimitBytes },
    counted: (provider, outcome) => counter.inc({ provider, outcome }),
  })
}
