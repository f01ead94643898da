/**
 * Appends of many requests, each whole, in as few transactions as possible: while one transaction runs, requests gather
 * for the next. Owns the transactional producer of this process. Invariants:
 *
 * G1 A request's records are in one transaction: all of them become visible, or none.
 * G2 A request settles once: with positions (committed), with 503 `log_unavailable` or `overloaded` (never committed),
 *    or with 503 `outcome_unknown` (the commit was sent, the answer did not come).
 * G3 After any failure the session is given up; opening the next with the same id ends the old transaction either way.
 * G4 A request belongs to the session it was prepared under, its term. Once that was given up, it is never appended:
 *    whoever fenced us may have written its events already.
 * G5 What waits is bounded in bytes.
 */

import type { CrashPoint, Log, PlacedRecord, ProducerSession } from '../../connectors/kafka/index.ts'
import { appendPlaced, noCrash, positionText, recordOverheadBytes } from '../../connectors/kafka/index.ts'
import type { Clock } from '../../topology/clock.ts'
import type { IngestSettings } from './settings.ts'
import { ownerText } from './owner.ts'
import { logUnavailable, outcomeUnknown, overloaded } from './trouble.ts'

/** The session of this process, from its opening until it is given up. */
export interface Term {
  readonly session: ProducerSession
  /** Names the session, among those of all processes (owner.ts). */
  readonly owner: string
}

interface Waiting {
  readonly records: readonly PlacedRecord[]
  readonly sizeBytes: number
  readonly term: Term
  resolve(positions: readonly string[]): void
  reject(error: Error): void
}

type Options = Pick<
  IngestSettings,
  'transactionalId' | 'transactionTimeoutMs' | 'batchBytes' | 'queueBytes' | 'closeGraceMs'
>

export class GroupCommit {
  readonly #log: Log
  readonly #clock: Clock
  readonly #options: Options
  readonly #crash: CrashPoint
  #term: Promise<Term> | null = null
  #queue: Waiting[] = []
  #queuedBytes = 0
  #running: Promise<void> | null = null
  #closed = false
  readonly #notice: (line: string) => void
  #lastTrouble = ''

  /** @param notice one line for the operator, who is told why; a client is only told to try again */
  constructor(
    log: Log,
    clock: Clock,
    options: Options,
    crash: CrashPoint = noCrash,
    notice: (line: string) => void = () => undefined,
  ) {
    this.#crash = crash
    this.#notice = notice
    this.#log = log
    this.#clock = clock
    this.#options = options
  }

  /** The term to prepare a request under; whatever an earlier one left open is settled then. @throws ApiProblem 503 */
  async term(): Promise<Term> {
    return this.#open()
  }

  /** A term that began after now, unless `former` is over already. What is being written under `former` fails. @throws ApiProblem 503 */
  async renew(former: Term): Promise<Term> {
    await this.#giveUp(former, this.#running ?? Promise.resolve())
    return this.#open()
  }

  /** The positions of the records, in their order, once committed. @throws ApiProblem 503 (G2) */
  append(records: readonly PlacedRecord[], term: Term): Promise<readonly string[]> {
    let sizeBytes = 0
    for (const { key, value } of records) sizeBytes += key.length + value.length + recordOverheadBytes
    if (this.#closed) return Promise.reject(logUnavailable())
    if (this.#queuedBytes + sizeBytes > this.#options.queueBytes) return Promise.reject(overloaded())
    this.#crash('C24')
    return new Promise((resolve, reject) => {
      this.#queue.push({ records, sizeBytes, term, resolve, reject })
      this.#queuedBytes += sizeBytes
      this.#running ??= this.#run()
    })
  }

  /** Lets the transaction that runs end, within the grace; what waits is refused. */
  async close(): Promise<void> {
    this.#closed = true
    rejectAll(this.#take(Infinity), logUnavailable())
    const term = this.#term
    this.#term = null
    const ended = (async () => {
      await this.#running
      await term?.then(({ session }) => session.close()).catch(() => undefined)
    })()
    let cancel = (): void => undefined
    const grace = new Promise<void>((resolve) => (cancel = this.#clock.after(this.#options.closeGraceMs, resolve)))
    await Promise.race([ended, grace])
    cancel()
  }

  async #run(): Promise<void> {
    // Requests of the same turn of the event loop go together.
    await Promise.resolve()
    while (this.#queue.length > 0) await this.#transact(this.#take(this.#options.batchBytes))
    this.#running = null
  }

  /** The requests that waited longest, up to a size; at least one. */
  #take(bytesMax: number): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { sizeBytes } of this.#queue) {
      if (count > 0 && bytes + sizeBytes > bytesMax) break
      bytes += sizeBytes
      count += 1
    }
    this.#queuedBytes -= bytes
    return this.#queue.splice(0, count)
  }

  async #transact(taken: readonly Waiting[]): Promise<void> {
    let term: Term
    try {
      term = await this.#open()
    } catch {
      return rejectAll(taken, logUnavailable())
    }
    const [current, fenced] = partition(taken, (waiting) => waiting.term === term)
    rejectAll(fenced, logUnavailable())
    if (current.length === 0) return
    const { session } = term
    let committing = false
    try {
      session.begin()
      const positions = await this.#appendAll(session, current)
      committing = true
      await session.end('commit')
      this.#crash('C25')
      this.#lastTrouble = ''
      current.forEach((waiting, index) => waiting.resolve(positions[index]!))
    } catch (error) {
      this.#tell(error)
      if (!committing) await session.end('abort').catch(() => undefined)
      await this.#giveUp(term)
      rejectAll(current, committing ? outcomeUnknown() : logUnavailable())
    }
  }

  /** Where the records of each request landed. */
  async #appendAll(session: ProducerSession, taken: readonly Waiting[]): Promise<string[][]> {
    const { batchBytes } = this.#options
    const offsets = await appendPlaced(
      session,
      taken.flatMap(({ records }) => records),
      batchBytes,
    )
    let next = 0
    return taken.map(({ records }) => records.map((record) => positionText({ ...record, offset: offsets[next++]! })))
  }

  #open(): Promise<Term> {
    if (this.#closed) return Promise.reject(logUnavailable())
    if (this.#term === null) {
      const { transactionalId, transactionTimeoutMs } = this.#options
      const opening = this.#log
        .openProducer({ transactionalId, transactionTimeoutMs })
        .then((session) => ({ session, owner: ownerText(transactionalId, session) }))
      this.#term = opening
      opening.catch((error: unknown) => {
        this.#tell(error)
        if (this.#term === opening) this.#term = null
      })
    }
    return this.#term.catch(() => Promise.reject(logUnavailable()))
  }

  /** The same trouble again is not news. */
  #tell(error: unknown): void {
    const line = `events are refused: ${error instanceof Error ? error.message : String(error)}`
    if (line !== this.#lastTrouble) this.#notice(line)
    this.#lastTrouble = line
  }

  /** G3. What still uses the session may be waited for before it is closed; the next one may be opened at once. */
  async #giveUp(term: Term, idle?: Promise<void>): Promise<void> {
    const held = this.#term
    if (held !== null && (await held.catch(() => null)) === term && this.#term === held) this.#term = null
    const closing = (idle ?? Promise.resolve()).then(() => term.session.close()).catch(() => undefined)
    if (idle === undefined) await closing
  }
}

function rejectAll(list: readonly Waiting[], error: Error): void {
  for (const waiting of list) waiting.reject(error)
}

function partition<T>(list: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = []
  const no: T[] = []
  for (const item of list) (test(item) ? yes : no).push(item)
  return [yes, no]
}
