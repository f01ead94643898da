/** The inputs of every renderer, read out of a call. @throws InputError with one line, from all of them */

import { prices } from './check-prices.ts'
import type { Reader } from './check.ts'
import { flag, list, matching, oneOf, optional, record, refuse, text, whole } from './check.ts'
import type {
  ContractData,
  DocumentData,
  DocumentInput,
  DocumentType,
  NdaData,
  Party,
  Personalization,
  PricingData,
  ProposalData,
  ProposalSection,
} from './inputs.ts'

/** 1970 to 9999. */
const time = whole(0, 253_402_300_799_999)
const name = text(200)
const paragraph = text(5_000)

const party = record<Party>({
  name,
  address: list(text(120), 1, 6),
  registration: optional(text(200)),
  email: optional(text(200)),
  signer: optional(record<NonNullable<Party['signer']>>({ name: text(120), title: optional(text(120)) })),
})

const common = { issued_at: time, seller: party, client: party }
const law = { governing_law: text(80), jurisdiction: text(80) }
const months = whole(1, 120)

const nda = record<NdaData>({
  ...common,
  ...law,
  mutual: flag,
  purpose: text(500),
  term_months: months,
  survival_years: whole(1, 20),
})

const pricing = record<PricingData>({
  ...common,
  valid_until: time,
  introduction: optional(paragraph),
  prices,
  notes: list(text(1_000), 0, 30),
})

const proposal = record<ProposalData>({
  ...common,
  title: text(160),
  valid_until: time,
  summary: paragraph,
  sections: list(
    record<ProposalSection>({
      heading: text(160),
      paragraphs: list(paragraph, 0, 40),
      bullets: optional(list(text(1_000), 0, 60)),
    }),
    0,
    40,
  ),
  timeline: list(
    record<ProposalData['timeline'][number]>({ milestone: text(160), when: text(80), outcome: text(500) }),
    0,
    60,
  ),
  prices,
})

const contract = record<ContractData>({
  ...common,
  ...law,
  plan: text(120),
  start_at: time,
  term_months: months,
  renewal_months: optional(months),
  notice_days: whole(1, 365),
  payment_days: whole(0, 180),
  availability_bp: whole(5_000, 10_000),
  prices,
  special_terms: list(
    record<ContractData['special_terms'][number]>({ heading: text(160), paragraphs: list(paragraph, 1, 20) }),
    0,
    30,
  ),
})

const readers: { readonly [T in DocumentType]: Reader<DocumentData[T]> } = { nda, pricing, proposal, contract }

export const documentTypes = ['nda', 'pricing', 'proposal', 'contract'] as const satisfies readonly DocumentType[]

/** Ids become part of an object's key. */
export const idText = matching(/^[A-Za-z0-9._-]{1,80}$/, 'an id of letters, digits, . _ -')
export const versionNumber = whole(1, 1_000_000)

export function documentInput(value: unknown): DocumentInput {
  const outer = record<Record<'document_type' | 'document_id' | 'version' | 'data', unknown>>({
    document_type: oneOf(documentTypes),
    document_id: idText,
    version: versionNumber,
    data: (data) => data,
  })(value, 'request')
  const { document_type } = outer as { document_type: DocumentType }
  return { ...outer, data: readers[document_type](outer.data, 'data') } as DocumentInput
}

const link: Reader<string> = (value, path) => {
  const given = text(2_000)(value, path)
  const isSafe = URL.canParse(given) && ['https:', 'mailto:'].includes(new URL(given).protocol)
  return isSafe ? given : refuse(path, value, 'an address that begins with https:// or mailto:')
}

export const personalization = record<Personalization>({
  company_name: text(120),
  industry: optional(text(120)),
  headline: text(200),
  pain_points: list(
    record<Personalization['pain_points'][number]>({ text: text(600), finding_id: optional(text(100)) }),
    1,
    8,
  ),
  steps: list(
    record<Personalization['steps'][number]>({
      title: text(120),
      text: text(1_500),
      finding_id: optional(text(100)),
    }),
    1,
    12,
  ),
  call_to_action: text(120),
  call_to_action_url: optional(link),
})
