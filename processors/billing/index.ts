/** Service 22, billing and revenue: from the signed contract to money, through a payment service that answers late and twice. */

import { billingClient } from '../billing-client/index.ts'
import { billingContract } from '../billing-contract/index.ts'
import { billingMoney } from '../billing-money/index.ts'
import { billingReview } from '../billing-review/index.ts'
import { billingUsage } from '../billing-usage/index.ts'
import { defineService } from '../define.ts'
import type { BillingSettings } from './settings.ts'
import { billingDefaults } from './settings.ts'

export { billingDefaults } from './settings.ts'
export type { BillingSettings } from './settings.ts'

export const billingService = (settings: BillingSettings = billingDefaults) =>
  defineService('billing', [
    billingContract(),
    billingMoney(settings),
    billingClient(settings),
    billingUsage(settings),
    billingReview(settings),
  ])
