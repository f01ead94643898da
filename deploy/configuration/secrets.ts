/**
 * Secrets of an installation on embedded parts: generated once into DATA_DIR, for the owner's eyes only, and kept as long
 * as the data they protect. A file that cannot be read is never replaced: that would make the data unreadable for ever.
 */

import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

export interface Secrets {
  /** Signs access tokens. */
  readonly jwt: string
  /** Encrypts verification codes at rest. */
  readonly code: string
  /** Keys the hashes of e-mail addresses. */
  readonly emailPepper: string
  /** Wraps the tenants' data keys. */
  readonly dataKey: string
  /** The passwords of the database roles derive from it. */
  readonly databaseRole: string
}

/** DATA_DIR's secrets cannot be used. The message is one line for an operator. */
export class SecretsError extends Error {
  readonly code = 'SECRETS_UNREADABLE'
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'SecretsError'
  }
}

const names = ['jwt', 'code', 'emailPepper', 'dataKey', 'databaseRole'] as const satisfies readonly (keyof Secrets)[]
const fileSchema = z.partialRecord(z.enum(names), z.string().min(32))

/**
 * The secrets given in the configuration, completed from `<directory>/secrets.json`; what neither has is generated and
 * written there. When all are given, the file is neither read nor written.
 *
 * @throws SecretsError when the file exists and is not what was written
 */
export function loadSecrets(
  directory: string,
  given: { readonly [K in keyof Secrets]?: Secrets[K] | null } = {},
): Secrets {
  const missing = names.filter((name) => (given[name] ?? null) === null)
  if (missing.length === 0) return pick((name) => given[name])
  const file = join(directory, 'secrets.json')
  const kept = readKept(file)
  const generated = missing.filter((name) => kept[name] === undefined)
  if (generated.length > 0) {
    for (const name of generated) kept[name] = randomBytes(32).toString('base64url')
    writeKept(directory, file, kept)
  } else {
    chmodSync(file, 0o600)
  }
  return pick((name) => given[name] ?? kept[name])
}

function pick(of: (name: keyof Secrets) => string | null | undefined): Secrets {
  return Object.freeze(Object.fromEntries(names.map((name) => [name, of(name)])) as unknown as Secrets)
}

function readKept(file: string): Partial<Record<keyof Secrets, string>> {
  try {
    return { ...fileSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new SecretsError(
      `${file} cannot be read; put back the file that was written with this DATA_DIR, or begin with an empty DATA_DIR`,
      // The parser's own message may quote the file.
      error instanceof z.ZodError || error instanceof SyntaxError ? undefined : error,
    )
  }
}

/** Whole or not at all, also when the machine stops in the middle. */
function writeKept(directory: string, file: string, kept: Partial<Record<keyof Secrets, string>>): void {
  mkdirSync(directory, { recursive: true })
  const draft = `${file}.new`
  const descriptor = openSync(draft, 'w', 0o600)
  try {
    writeSync(descriptor, `${JSON.stringify(kept, null, 2)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  chmodSync(draft, 0o600)
  renameSync(draft, file)
  syncDirectory(directory)
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
