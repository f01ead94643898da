/** What the signature service needs of others: whom to ask to sign, and where files stand. */

export interface FileRef {
  readonly bucket: string
  readonly key: string
  readonly version_id: string
  readonly sha256: string
  readonly bytes: number
}

/** The part of an object store that is used here; all throw when the store is away. */
export interface FileStore {
  get(key: string, versionId?: string): Promise<{ readonly content: Buffer } | null>
  head(key: string): Promise<FileRef | null>
  put(key: string, content: Uint8Array, options: { readonly contentType: string }): Promise<FileRef>
}

export type SignerOf = (
  tenantId: string,
  organizationId: string,
) => Promise<{ readonly name: string; readonly email: string } | null>
