/** An answer that is not the one asked for (RFC 9457): thrown anywhere below the door, written as problem+json at it. */

export interface ProblemOptions {
  /** Response headers, e.g. `{ 'Retry-After': '30' }`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Further members of the body, e.g. `{ index: 499 }`. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export class ApiProblem extends Error {
  /** HTTP status. */
  readonly status: number
  /** Stable word in snake_case, e.g. `unknown_field`. */
  readonly code: string
  /** One plain sentence for a person. */
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
  readonly extra: Readonly<Record<string, unknown>>
  constructor(status: number, code: string, detail: string, options: ProblemOptions = {}) {
    super(detail)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.detail = detail
    this.headers = options.headers ?? {}
    this.extra = options.extra ?? {}
  }
}
