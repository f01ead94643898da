/** Signatures: envelopes at DocuSign. */
export { docuSignProvider } from './docusign.ts'
export type { DocuSignSettings } from './docusign.ts'
export { recipientIds } from './envelope.ts'
export type { FileRef, FileStore, SignerOf } from './port.ts'
