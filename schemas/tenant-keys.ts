/** The ciphers of a key ring's tenants, and which tenants were asked for and have no key: for those, data is bad, not late. */

import { BadRecord } from '../topology/errors.ts'
import { SchemaError } from './errors.ts'
import type { KeyRing } from './key-ring.ts'
import type { FieldCipher } from './personal.ts'
import { fieldCipher } from './personal.ts'

const maxRemembered = 10_000

export class TenantKeys {
  readonly #ring: KeyRing
  readonly #keyless = new Set<string>()

  constructor(ring: KeyRing) {
    this.#ring = ring
  }

  /** Makes the keys of these tenants present. Rejects when the key service cannot be asked: nothing is known then. */
  async load(tenants: ReadonlySet<string>): Promise<void> {
    const wanted = [...tenants].filter((tenant) => this.#ring.get(tenant) === undefined)
    if (wanted.length === 0) return
    await this.#ring.load(wanted)
    if (this.#keyless.size > maxRemembered) this.#keyless.clear()
    for (const tenant of wanted) if (this.#ring.get(tenant) === undefined) this.#keyless.add(tenant)
  }

  /**
   * @throws BadRecord `unknown_key` when the tenant has none
   * @throws SchemaError KEY_NOT_LOADED when `load` was not run for it
   */
  cipher(tenant: string): FieldCipher {
    const cipher = fieldCipher(this.#ring, tenant)
    if (cipher !== null) return cipher
    if (this.#keyless.has(tenant)) throw new BadRecord('unknown_key', 'the tenant has no data key')
    throw new SchemaError('KEY_NOT_LOADED', `the data key of tenant ${tenant} is not loaded`, 'retry')
  }
}

const known = new WeakMap<KeyRing, TenantKeys>()

/** One per ring: what one codec asked for, all know. */
export function tenantKeysOf(ring: KeyRing): TenantKeys {
  let keys = known.get(ring)
  if (keys === undefined) known.set(ring, (keys = new TenantKeys(ring)))
  return keys
}
