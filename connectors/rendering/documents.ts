/** From an input to a PDF. Equal inputs give equal bytes. */

import { contractDocument } from './documents/contract.ts'
import { ndaDocument } from './documents/nda.ts'
import { pricingDocument } from './documents/pricing.ts'
import { proposalDocument } from './documents/proposal.ts'
import type { DocumentInput, DocumentType } from './inputs.ts'
import { Paper } from './pdf/paper.ts'
import { headsAndFeet, letterhead } from './pdf/parts.ts'

/** Goes up with every change of what a document of this kind says or how it looks. */
export const templateVersions: Readonly<Record<DocumentType, number>> = { nda: 1, pricing: 2, proposal: 2, contract: 1 }

export const kinds: Readonly<Record<DocumentType, string>> = {
  nda: 'Non-disclosure agreement',
  pricing: 'Price offer',
  proposal: 'Proposal',
  contract: 'Service agreement',
}

export interface RenderedDocument {
  readonly pdf: Buffer
  /** Characters that no typeface of ours has; a box stands for each. Empty as a rule. */
  readonly missingCharacters: readonly string[]
}

/** @param input checked by `documentInput` */
export async function renderDocument(input: DocumentInput): Promise<RenderedDocument> {
  const { document_type, document_id, version, data } = input
  const kind = kinds[document_type]
  const paper = new Paper({
    title: `${kind}: ${data.seller.name} and ${data.client.name}`,
    author: data.seller.name,
    subject: `${document_id}, version ${version}`,
    keywords: `${document_type} template-${templateVersions[document_type]}`,
    at: data.issued_at,
  })
  letterhead(paper, data.seller)
  write(paper, input)
  headsAndFeet(paper, { kind, document_id, version, seller: data.seller, confidential: true })
  return { pdf: await paper.end(), missingCharacters: [...paper.missing].sort() }
}

function write(paper: Paper, input: DocumentInput): void {
  switch (input.document_type) {
    case 'nda':
      return ndaDocument(paper, input.data)
    case 'pricing':
      return pricingDocument(paper, input.data)
    case 'proposal':
      return proposalDocument(paper, input.data)
    case 'contract':
      return contractDocument(paper, input.data)
  }
}
