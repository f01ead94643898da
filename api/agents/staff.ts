/**
 * Our own people, decided in SQL: agents, their supervisors, and which client each looks after. Invariants:
 *
 * AG1 What an agent sees follows from rows of auth.client_assignments and auth.team_supervisors alone, at once; a row
 *     and the event that tells of it are one transaction.
 * AG2 A supervisor acts within the teams they supervise: on their agents, and on clients that they have or that nobody
 *     has. Anything else does not exist.
 * AG3 A client that another team has cannot be reached; of two teams that want the same free client the second finds it
 *     taken. Only an operator puts two teams beside one another.
 * AG4 An agent that left has no login, no session and no assignment. Only a supervisor or an operator lets one go.
 * AG5 An agent writes nothing but commands about what a client of theirs has: reviews are claimed and decided by those who
 *     look after the client, and by the team's supervisors. An observer only reads.
 */

import type { Pool, PoolClient } from '../../connectors/postgres/index.ts'
import { inTransaction } from '../../connectors/postgres/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { HashingLimits, TenantKeys } from '../auth/index.ts'
import { PasswordHasher, createOutbox, opaqueToken } from '../auth/index.ts'
import type { Assigned } from './assignments.ts'
import { assign, assignments, unassign, unassigned } from './assignments.ts'
import type { Acting, AgentRow, StaffContext } from './context.ts'
import { agentsIn, teamsOf } from './context.ts'
import type { Applicant } from './hiring.ts'
import { dismiss, hire } from './hiring.ts'
import type { AssignmentAnswer, AssignmentRequest, NewAgentAnswer, UnassignedAnswer } from './schemas.ts'

export interface StaffOptions {
  /** Connected as role `auth`. */
  readonly pool: Pool
  /** Real time. */
  readonly clock: Clock
  /** Event time in ms; that of the clock unless told. */
  readonly time?: () => number
  readonly random: Random
  readonly hashing: HashingLimits
  readonly keys: TenantKeys
  /** Called after each commit that may have written events: wakes the relay of this process. */
  readonly nudge?: () => void
}

/** Every method throws an ApiProblem for what a person did wrong. */
export interface Staff {
  hire(acting: Acting, applicant: Applicant): Promise<NewAgentAnswer>
  dismiss(acting: Acting, userId: string): Promise<void>
  agents(acting: Acting): Promise<readonly AgentRow[]>
  assign(acting: Acting, request: AssignmentRequest): Promise<Assigned>
  /** @returns where the event leaves */
  unassign(acting: Acting, organizationId: string, userId: string): Promise<string>
  assignments(acting: Acting): Promise<readonly AssignmentAnswer[]>
  unassigned(): Promise<readonly UnassignedAnswer[]>
}

const unassignedShown = 200

export function createStaff(options: StaffOptions): Staff {
  const { pool, clock, random, hashing, nudge, time = () => clock.now() } = options
  const context: StaffContext = {
    ...options,
    outbox: createOutbox(time, random),
    hasher: new PasswordHasher(hashing, opaqueToken(random), clock),
    decide: async <T>(work: (client: PoolClient) => Promise<T>) => {
      const result = await inTransaction(pool, work)
      nudge?.()
      return result
    },
  }
  return {
    hire: (acting, applicant) => hire(context, acting, applicant),
    dismiss: (acting, userId) => dismiss(context, acting, userId),
    agents: async (acting) => agentsIn(pool, await teamsOf(pool, acting)),
    assign: (acting, request) => assign(context, acting, request),
    unassign: (acting, organizationId, userId) => unassign(context, acting, organizationId, userId),
    assignments: (acting) => assignments(pool, acting),
    unassigned: () => unassigned(pool, unassignedShown),
  }
}
