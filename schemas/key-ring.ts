/**
 * The data keys of tenants, one per tenant, under which personal fields are encrypted. Loading may wait for a key
 * service; looking up must not, because records are decoded on a synchronous path.
 */
export interface KeyRing {
  /** Makes the keys of these tenants present (creating none). Unknown tenants stay unknown. */
  load(tenantIds: readonly string[]): Promise<void>
  /** 32 bytes · 'erased' when destroyed · undefined when not loaded or unknown. */
  get(tenantId: string): Buffer | 'erased' | undefined
}
