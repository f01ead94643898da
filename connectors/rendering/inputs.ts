/** What each document is made of, as JSON in a call's `data`. Money is in integer minor units of its currency, time in ms since 1970. */

export type DocumentType = 'nda' | 'pricing' | 'proposal' | 'contract'

export interface Party {
  readonly name: string
  /** Lines of the postal address. */
  readonly address: readonly string[]
  /** As `Registered in Bratislava, no. 12345`. */
  readonly registration?: string | null
  readonly email?: string | null
  /** Who signs; blank lines are printed where it is not known. */
  readonly signer?: { readonly name: string; readonly title?: string | null } | null
}

interface Common {
  /** The date of the document, and of the PDF. */
  readonly issued_at: number
  readonly seller: Party
  readonly client: Party
}

export interface Law {
  /** As `Slovakia`, after `the laws of`. */
  readonly governing_law: string
  /** As `Bratislava`, after `the courts of`. */
  readonly jurisdiction: string
}

export interface NdaData extends Common, Law {
  readonly mutual: boolean
  /** What the parties talk about; ends `for the purpose of …`, without a full stop. */
  readonly purpose: string
  /** How long information is exchanged. */
  readonly term_months: number
  /** How long it stays confidential after that. */
  readonly survival_years: number
}

export interface PriceTier {
  /** First unit of the tier, from 1. */
  readonly from: number
  /** Last unit; null is no end. */
  readonly to: number | null
  readonly unit_price_minor: number
}

export interface PriceLine {
  readonly description: string
  readonly detail?: string | null
  readonly quantity: number
  /** As `seats`. */
  readonly unit: string
  /** Of every unit; null: each unit costs what its tier says. */
  readonly unit_price_minor: number | null
  /** With a unit price: that of the quantity's tier holds for all. */
  readonly tiers?: readonly PriceTier[] | null
  readonly amount_minor: number
}

export interface Discount {
  readonly label: string
  /** Of the subtotal, in hundredths of a per cent; null when it is an amount by itself. */
  readonly percent_bp?: number | null
  /** What is taken off: not negative. */
  readonly amount_minor: number
}

export interface Tax {
  readonly label: string
  /** Hundredths of a per cent. */
  readonly rate_bp: number
  readonly amount_minor: number
}

export interface Prices {
  /** ISO 4217. */
  readonly currency: string
  readonly interval: 'month' | 'year' | 'once'
  readonly lines: readonly PriceLine[]
  readonly subtotal_minor: number
  readonly discounts: readonly Discount[]
  readonly tax?: Tax | null
  readonly total_minor: number
}

export interface PricingData extends Common {
  readonly valid_until: number
  readonly introduction?: string | null
  readonly prices: Prices
  readonly notes: readonly string[]
}

export interface ProposalSection {
  readonly heading: string
  readonly paragraphs: readonly string[]
  readonly bullets?: readonly string[] | null
}

export interface ProposalData extends Common {
  readonly title: string
  readonly valid_until: number
  readonly summary: string
  readonly sections: readonly ProposalSection[]
  readonly timeline: readonly { readonly milestone: string; readonly when: string; readonly outcome: string }[]
  readonly prices: Prices
}

export interface ContractData extends Common, Law {
  /** As `Lifecycle Growth`. */
  readonly plan: string
  readonly start_at: number
  readonly term_months: number
  /** Null: it ends with the term. */
  readonly renewal_months: number | null
  readonly notice_days: number
  readonly payment_days: number
  /** Of a month, in hundredths of a per cent: 9990 is 99.9 %. */
  readonly availability_bp: number
  readonly prices: Prices
  /** Clauses agreed on besides, after the standard ones. */
  readonly special_terms: readonly { readonly heading: string; readonly paragraphs: readonly string[] }[]
}

export interface DocumentData {
  readonly nda: NdaData
  readonly pricing: PricingData
  readonly proposal: ProposalData
  readonly contract: ContractData
}

/** One document to be rendered. */
export type DocumentInput = {
  readonly [T in DocumentType]: {
    readonly document_type: T
    readonly document_id: string
    readonly version: number
    readonly data: DocumentData[T]
  }
}[DocumentType]

export interface Personalization {
  readonly company_name: string
  readonly industry: string | null
  readonly headline: string
  readonly pain_points: readonly { readonly text: string; readonly finding_id: string | null }[]
  readonly steps: readonly { readonly title: string; readonly text: string; readonly finding_id: string | null }[]
  /** Words of the button at the end. */
  readonly call_to_action: string
  /** Where the button leads, https or mailto; without it the page says thanks. */
  readonly call_to_action_url?: string | null
}

export interface DemoPlace {
  /** Path of the page without a slash at its end, as `/d/k3Jx…`; null: wherever the page is served. */
  readonly base_path: string | null
  readonly chat_enabled: boolean
  /** Who shows the demo. */
  readonly seller_name: string
}
