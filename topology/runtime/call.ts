import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../clock.ts'
import type { AsyncOperation } from '../graph/nodes.ts'
import type { StreamRecord } from '../graph/record.ts'

export type CallResult =
  { readonly ok: true; readonly answer: unknown } | { readonly ok: false; readonly error: unknown }

/** What a call starts from, or why that cannot be told. */
export type Loaded = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

/** One call of an async operator. It may outlive the task that started it, and serve the one that takes over. */
export class Call {
  /** Settles (never rejects) when the call has ended, in time or not. */
  readonly finished: Promise<void>
  /** True once what it became was emitted in a transaction that is not yet committed. */
  emitted = false
  #result: CallResult | null = null
  #listener: (() => void) | null = null
  readonly #abort = new AbortController()
  readonly #loaded: Loaded

  constructor(operator: AsyncOperation, record: StreamRecord, clock: Clock, loaded: Loaded) {
    this.#loaded = loaded
    this.finished = new Promise<CallResult>((resolve) => {
      const cancel = clock.after(operator.timeoutMs, () => {
        this.#abort.abort()
        resolve({ ok: false, error: new Error(`the call took longer than ${operator.timeoutMs} ms`) })
      })
      const settle = (result: CallResult): void => {
        cancel()
        resolve(result)
      }
      const call = async (): Promise<unknown> => {
        if (!loaded.ok) throw loaded.error
        return operator.call(record, this.#abort.signal, loaded.value)
      }
      call().then(
        (answer) => settle({ ok: true, answer }),
        (error: unknown) => settle({ ok: false, error }),
      )
    }).then((result) => {
      this.#result = result
      this.#listener?.()
    })
  }

  /** True when a call that starts now would start from the same (A8). */
  startedFrom(loaded: Loaded): boolean {
    return loaded.ok && this.#loaded.ok && isDeepStrictEqual(loaded.value, this.#loaded.value)
  }

  get settled(): boolean {
    return this.#result !== null
  }

  get hasFailed(): boolean {
    return this.#result !== null && !this.#result.ok
  }

  get result(): CallResult {
    return this.#result ?? { ok: false, error: new Error('the call has not ended') }
  }

  /** Calls back when the call ends: at once when it has ended. One listener at a time. */
  settledBy(listener: () => void): void {
    this.#listener = listener
    if (this.#result !== null) listener()
  }

  detach(): void {
    this.#listener = null
  }

  abandon(): void {
    this.#listener = null
    this.#abort.abort()
  }
}
