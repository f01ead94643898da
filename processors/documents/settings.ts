/** Rules of the sales documents: prices, approval, envelopes. Defaults; given to the service, never read from outside. */

import type { RetrySettings } from '../retry.ts'
import type { DocumentType } from './state.ts'

/** Amounts in minor units of `currency`, of one month unless told. */
export interface PricingSettings {
  readonly currency: string
  /** A month's price of one seat where this many are taken, up to and with `upTo`; null is without end. */
  readonly seatTiers: readonly { readonly upTo: number | null; readonly amount: number }[]
  /** A conversation's price in thousandths of a minor unit, for the part of a month's conversations in this tier. */
  readonly usageTiers: readonly { readonly upTo: number | null; readonly thousandths: number }[]
  /** Taken off the part of a month's list amount in this band, in hundredths of a percent. */
  readonly volumeDiscount: readonly { readonly upTo: number | null; readonly basisPoints: number }[]
  /** Taken off what is left when a year is paid at once. */
  readonly yearBasisPoints: number
  /** What a month costs us: a seat in minor units, a conversation in thousandths. */
  readonly cost: { readonly seat: number; readonly conversationThousandths: number }
  /** By the fewest seats, ascending. */
  readonly plans: readonly { readonly name: string; readonly fromSeats: number }[]
  /** Seats from what research found: conversations that one seat handles in a month, else employees per seat. */
  readonly seats: {
    readonly conversationsPerSeat: number
    readonly employeesPerSeat: number
    readonly least: number
    readonly most: number
  }
  /** Where research knows no volume. */
  readonly conversationsPerSeatUnknown: number
}

/** Beyond these a person is asked. */
export interface ApprovalSettings {
  readonly discountAboveBasisPoints: number
  readonly marginBelowBasisPoints: number
  /** Of a year, in minor units. */
  readonly yearAmountAbove: number
  readonly withinMs: number
}

/** What the documents say besides figures. */
export interface WordsSettings {
  readonly seller: {
    readonly name: string
    /** Lines of the postal address. */
    readonly address: readonly string[]
    /** As `Registered in Bratislava, no. 12345`. */
    readonly registration?: string | null
  }
  readonly law: { readonly governing_law: string; readonly jurisdiction: string }
  readonly nda: { readonly term_months: number; readonly survival_years: number; readonly purpose: string }
  /** An offer stands so long, in ms. */
  readonly offerStandsMs: number
  readonly contract: {
    /** From the drawing up to the first day, in ms. */
    readonly startsAfterMs: number
    readonly term_months: number
    readonly renewal_months: number | null
    readonly notice_days: number
    readonly payment_days: number
    readonly availability_bp: number
  }
}

export interface DocumentsSettings {
  readonly words: WordsSettings
  readonly pricing: PricingSettings
  readonly approval: ApprovalSettings
  readonly templateVersion: number
  /** Who signs what; `order` 1 first. Types without signers are approved, not sent. */
  readonly signers: Readonly<
    Record<DocumentType, readonly { readonly role: 'client' | 'provider'; readonly order: number }[]>
  >
  /** After sending, in ms. */
  readonly remindAfterMs: readonly number[]
  readonly expiresAfterMs: number
  readonly retry: RetrySettings
  /** A call that must succeed in the end (an envelope that may be live, a signed file) is tried again this much later. */
  readonly patienceMs: number
  /**
   * Such a call is given up after so many tries, and a person is asked. All of them stay well within the 7 days for which
   * the signature service knows a transaction id: a try after that might make a second envelope.
   */
  readonly giveUpAfterAttempts: number
}

const hour = 60 * 60 * 1000
const day = 24 * hour

export const documentsDefaults = Object.freeze<DocumentsSettings>({
  pricing: {
    currency: 'USD',
    seatTiers: [
      { upTo: 10, amount: 4_900 },
      { upTo: 50, amount: 4_200 },
      { upTo: 200, amount: 3_600 },
      { upTo: null, amount: 3_000 },
    ],
    usageTiers: [
      { upTo: 1_000, thousandths: 0 },
      { upTo: 10_000, thousandths: 6_000 },
      { upTo: 100_000, thousandths: 4_500 },
      { upTo: null, thousandths: 3_000 },
    ],
    volumeDiscount: [
      { upTo: 200_000, basisPoints: 0 },
      { upTo: 1_000_000, basisPoints: 500 },
      { upTo: 5_000_000, basisPoints: 1_000 },
      { upTo: null, basisPoints: 1_500 },
    ],
    yearBasisPoints: 1_000,
    cost: { seat: 1_200, conversationThousandths: 1_500 },
    plans: [
      { name: 'starter', fromSeats: 1 },
      { name: 'growth', fromSeats: 11 },
      { name: 'enterprise', fromSeats: 201 },
    ],
    seats: { conversationsPerSeat: 400, employeesPerSeat: 12, least: 3, most: 100_000 },
    conversationsPerSeatUnknown: 200,
  },
  approval: {
    discountAboveBasisPoints: 2_000,
    marginBelowBasisPoints: 4_000,
    yearAmountAbove: 25_000_000,
    withinMs: 2 * day,
  },
  words: {
    seller: { name: 'Lifecycle', address: ['1 Example Street', '00000 Example'] },
    law: { governing_law: 'England and Wales', jurisdiction: 'London' },
    nda: { term_months: 24, survival_years: 3, purpose: 'considering a customer support platform for the client' },
    offerStandsMs: 30 * day,
    contract: {
      startsAfterMs: 7 * day,
      term_months: 12,
      renewal_months: 12,
      notice_days: 60,
      payment_days: 14,
      availability_bp: 9_990,
    },
  },
  templateVersion: 2,
  signers: {
    nda: [
      { role: 'client', order: 1 },
      { role: 'provider', order: 2 },
    ],
    pricing: [],
    proposal: [{ role: 'client', order: 1 }],
    contract: [
      { role: 'client', order: 1 },
      { role: 'provider', order: 2 },
    ],
  },
  remindAfterMs: [3 * day, 7 * day, 14 * day],
  expiresAfterMs: 30 * day,
  retry: { attempts: 5, baseMs: 2_000, capMs: 5 * 60_000 },
  patienceMs: hour,
  giveUpAfterAttempts: 72,
})
