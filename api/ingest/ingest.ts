/** Events come in here: judged, placed and appended, once. Other endpoints that command something use the same way. */

import { createHash } from 'node:crypto'
import type { CrashPoint, Log } from '../../connectors/kafka/index.ts'
import { LogError } from '../../connectors/kafka/index.ts'
import { failureOf } from '../../connectors/postgres/index.ts'
import type { KeyRing } from '../../schemas/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { Principal } from '../http/endpoint.ts'
import { ApiProblem } from '../http/problem.ts'
import type { Draft, ReviewSubjects, Submission } from './accept.ts'
import { acceptSubmission, requireReviewers } from './accept.ts'
import type { Codec } from './encode.ts'
import { eventEncoder } from './encode.ts'
import { GroupCommit } from './group-commit.ts'
import type { Receipt } from './idempotent-append.ts'
import { idempotentAppend } from './idempotent-append.ts'
import type { Reservations } from './reservations.ts'
import type { IngestSettings } from './settings.ts'
import { logUnavailable } from './trouble.ts'

export interface IngestOptions {
  readonly log: Log
  readonly codec: Codec
  readonly keyRing: KeyRing
  readonly reservations: Reservations
  /** Rejects when the database is away. */
  readonly reviewSubjects: ReviewSubjects
  /** Real time: waits, and the age of idempotency keys. */
  readonly clock: Clock
  /** Event time in ms; runs ahead of the clock where business time is warped. */
  readonly time: () => number
  readonly random: Random
  readonly settings: IngestSettings
  /** Where a process may be made to die; nowhere unless told. */
  readonly crash?: CrashPoint
  /** One line for the operator. */
  readonly notice?: (line: string) => void
}

/** A command of another endpoint: an event, and the words of its request for the idempotency key. */
export interface Command {
  readonly draft: Omit<Draft, 'timestamp' | 'late'>
  readonly request: unknown
  /** How much longer than others its idempotency key is kept, in ms. */
  readonly keptLongerMs?: number
}

export interface Ingest {
  /** The body of `POST /events`. @throws ApiProblem */
  submit(
    principal: Principal,
    body: unknown,
    idempotencyKey: string | undefined,
  ): Promise<Receipt & Pick<Submission, 'single'>>
  /** @throws ApiProblem */
  command(command: Command, idempotencyKey: string | undefined): Promise<Receipt>
  /** Forgets idempotency keys past their retention; call it every few minutes. */
  sweep(): Promise<void>
  close(): Promise<void>
}

const keyForm = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/

export function createIngest(options: IngestOptions): Ingest {
  const { log, reservations, clock, time, random, settings } = options
  const commits = new GroupCommit(log, clock, settings, options.crash, options.notice)
  const encoder = eventEncoder(log, options.codec, options.keyRing)
  const once = idempotentAppend({ log, commits, reservations, clock, settings })

  async function append(
    drafts: readonly Draft[],
    request: unknown,
    idempotencyKey: string | undefined,
    keptLongerMs = 0,
  ): Promise<Receipt> {
    const newEventIds = (): readonly string[] => drafts.map(() => uuid(random))
    const encode = (eventIds: readonly string[]) => encoder.encode(drafts, eventIds)
    if (idempotencyKey === undefined) {
      const eventIds = newEventIds()
      const records = await encode(eventIds)
      return { eventIds, positions: await commits.append(records, await commits.term()) }
    }
    if (!keyForm.test(idempotencyKey))
      throw new ApiProblem(400, 'bad_idempotency_key', 'An Idempotency-Key is 1 to 255 printable ASCII characters.')
    const bodyHash = createHash('sha256').update(JSON.stringify(request)).digest()
    return once({ tenantId: drafts[0]!.tenantId, key: idempotencyKey, bodyHash, keptLongerMs, newEventIds, encode })
  }

  return {
    async submit(principal, body, idempotencyKey) {
      const submission = acceptSubmission(body, principal, time(), settings)
      await troubled(requireReviewers(submission, principal, options.reviewSubjects))
      const { drafts, single } = submission
      return { single, ...(await troubled(append(drafts, body, idempotencyKey))) }
    },
    command: ({ draft, request, keptLongerMs }, idempotencyKey) =>
      troubled(append([{ ...draft, timestamp: time(), late: false }], request, idempotencyKey, keptLongerMs)),
    sweep: () => reservations.sweep(clock.now() - settings.keyRetentionMs),
    close: () => commits.close(),
  }
}

/** Log or database away: nothing was promised, so the client may try again. */
async function troubled<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof LogError) throw logUnavailable()
    if (!(error instanceof ApiProblem) && isDatabaseTrouble(error))
      throw new ApiProblem(503, 'database_unavailable', 'Nothing was promised; try again.', {
        headers: { 'Retry-After': '1' },
      })
    throw error
  }
}

/** `failureOf` calls everything that is no answer of the server trouble; a bug of ours is not. */
const isDatabaseTrouble = (error: unknown): boolean =>
  !(
    error instanceof TypeError ||
    error instanceof RangeError ||
    (error as { name?: string }).name === 'AssertionError'
  ) && failureOf(error) === 'trouble'

/** A UUID of version 4. */
function uuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
