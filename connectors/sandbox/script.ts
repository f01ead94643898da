/**
 * What the sandbox is told to do other than answer well. A script is a list of rules; the first that fits a call and is
 * not used up decides. It is kept in a file, so that a restarted sandbox goes on with it.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

export const sandboxProviders = [
  ...(['perplexity', 'webscraper', 'sendgrid', 'openai', 'anthropic', 's3', 'stripe', 'docusign', 'mixpanel'] as const),
] as const
export type SandboxProvider = (typeof sandboxProviders)[number]

const rule = z.strictObject({
  provider: z.enum(sandboxProviders).optional(),
  /**
   * answer · search (perplexity) · sitemaps · create_sitemap · jobs · create_job · job · rows (webscraper) · send · deliver · visit (sendgrid) ·
   * put_object · get_object · head_object · delete_object · list_versions · head_bucket · create_bucket · get_versioning · put_versioning (s3)
   * · respond · embed (openai) · message (anthropic) ·
   * pay · give_up and the names of its calls (stripe) ·
   * token · create_envelope · list_envelopes · envelope · void_envelope · combined · certificate (docusign) · import (mixpanel) · webhook
   */
  operation: z.string().optional(),
  /** Domains or names of companies, whole, in any case. */
  companies: z.array(z.string()).max(100_000).optional(),
  /** A text in the request's body. */
  contains: z.string().optional(),
  /** How many calls it holds for; without it for all. */
  times: z.int().positive().optional(),

  /** Answer with this status instead; a body is the provider's own error unless given. */
  status: z.int().min(200).max(599).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.string().optional(),
  /** Before anything is answered. */
  delay_ms: z.int().min(0).max(600_000).optional(),
  /** Close the connection without an answer. */
  reset: z.literal(true).optional(),
  /** Send only so many bytes of the body, then close. */
  truncate_at: z.int().min(0).optional(),
  /** Fill the body up to so many bytes. */
  pad_to: z
    .int()
    .min(0)
    .max(64 * 1024 * 1024)
    .optional(),
  /**
   * low_confidence: nothing is found, and nothing is cited · few_competitors: two · failed: a 200 that says it failed ·
   * of language models: refusal · malformed_json: it breaks off · wrong_shape: JSON that is not of the schema ·
   * invented_finding: it cites a finding that nobody gave it ·
   * of pay (stripe), what comes of an attempt: pays · declined · hard_declined · never_pays · pays_late ·
   * of give_up, what is done after the last one: unpaid · uncollectible · canceled ·
   * of create_envelope, what its people do: signs · declines: the first of them · ignores ·
   * of deliver (sendgrid), what becomes of a mail: delivered · bounces · blocked · defers · opens · complains ·
   * of visits, what the reader of a mail does with the link to a demo in it: engages (unless told) · looks · ignores · robot
   */
  answer: z
    .enum([
      ...['low_confidence', 'few_competitors', 'failed'],
      ...['refusal', 'malformed_json', 'wrong_shape', 'invented_finding'],
      ...['pays', 'declined', 'hard_declined', 'never_pays', 'pays_late'],
      ...['unpaid', 'uncollectible', 'canceled'],
      ...['signs', 'declines', 'ignores'],
      ...['engages', 'looks', 'robot'],
      ...['delivered', 'bounces', 'blocked', 'defers', 'opens', 'complains'],
    ] as const)
    .optional(),
  /** When people act at last, in business time; of create_envelope: how long each signer takes. */
  after_ms: z.int().min(0).optional(),

  // Of operation `webhook`: what a stand-in posts to the platform.
  /** Delivered so much later, in business time: what was sent after it comes first. */
  late_ms: z.int().min(0).optional(),
  /** So many further copies of the delivery. */
  duplicate: z.int().min(1).max(10).optional(),
  /** wrong: by a key that nobody has · stale, future: with a time out of tolerance */
  signature: z.enum(['wrong', 'stale', 'future']).optional(),
  /** Not delivered at all. */
  drop: z.literal(true).optional(),
})

const script = z.union([z.array(rule), z.object({ rules: z.array(rule) }).transform(({ rules }) => rules)])

export type SandboxRule = z.infer<typeof rule>

/** @throws ScriptError with one line that says what is wrong */
export function parseScript(value: unknown): SandboxRule[] {
  const read = script.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues.flatMap((found) => ('errors' in found ? found.errors.flat() : [found]))[0]
  throw new ScriptError(`the script is not valid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim())
}

export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

export interface SandboxCall {
  readonly provider: SandboxProvider
  readonly operation: string
  /** The company's domain and name, as far as the request tells. */
  readonly companies: readonly string[]
  readonly body: string
}

interface Counted {
  readonly rule: SandboxRule
  readonly companies: ReadonlySet<string> | null
  left: number
}

export class Script {
  readonly #path: string
  #rules: Counted[] = []

  constructor(path: string) {
    this.#path = path
    if (existsSync(path)) this.replace(parseScript(JSON.parse(readFileSync(path, 'utf8'))))
  }

  /** The rules as they stand: one with `times` tells how many are left. */
  get rules(): readonly SandboxRule[] {
    return this.#rules.map(({ rule, left }) => (rule.times === undefined ? rule : { ...rule, times: left }))
  }

  add(rules: readonly SandboxRule[]): void {
    this.replace([...this.rules, ...rules])
  }

  replace(rules: readonly SandboxRule[]): void {
    this.#rules = rules.map((told) => ({
      rule: told,
      companies: told.companies === undefined ? null : new Set(told.companies.map((name) => name.toLowerCase())),
      left: told.times ?? Number.POSITIVE_INFINITY,
    }))
    this.#save()
  }

  /** The rule for a call, and one use of it. */
  take(call: SandboxCall): SandboxRule | null {
    const fits = this.#rules.find((counted) => matches(counted, call))
    if (fits === undefined) return null
    if (fits.rule.times !== undefined) {
      fits.left -= 1
      if (fits.left === 0) this.#rules = this.#rules.filter((counted) => counted !== fits)
      this.#save()
    }
    return fits.rule
  }

  #save(): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.rules))
    renameSync(`${this.#path}.new`, this.#path)
  }
}

function matches({ rule, companies }: Counted, call: SandboxCall): boolean {
  return (
    (rule.provider === undefined || rule.provider === call.provider) &&
    (rule.operation === undefined || rule.operation === call.operation) &&
    (companies === null || call.companies.some((company) => companies.has(company.toLowerCase()))) &&
    (rule.contains === undefined || call.body.includes(rule.contains))
  )
}
