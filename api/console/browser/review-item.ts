/** One review, as the API tells it. */
export interface Review {
  readonly review_id: string
  readonly organization_id: string
  readonly status: 'open' | 'claimed' | 'decided' | 'expired'
  readonly priority: number
  readonly subject_type: string
  readonly subject_ref: string
  /** Null where it is not for whoever asks. */
  readonly reason: string | null
  /** Who decides: the company itself too, or the seller's people alone. */
  readonly decider: 'client' | 'seller'
  readonly risk: 'low' | 'medium' | 'high'
  readonly proposed_action: unknown
  /** What whoever asks may decide: nothing, where it waits for somebody else. */
  readonly options: readonly ('approve' | 'reject' | 'edit' | 'escalate')[]
  readonly requester: string
  readonly requested_at: string
  readonly due_at: string
  readonly claimed_by: string | null
  readonly claimed_by_name?: string | null
  readonly lease_until: string | null
  readonly decision: string | null
  readonly comment: string | null
  readonly decided_by: string | null
  readonly decided_by_name?: string | null
  readonly decided_at: string | null
}

export interface Finding {
  readonly finding_type: string
  readonly confidence: number
  readonly data: unknown
}

const recordOf = (of: unknown): Readonly<Record<string, unknown>> | null =>
  typeof of === 'object' && of !== null && !Array.isArray(of) ? (of as Readonly<Record<string, unknown>>) : null

export function companyOf({ proposed_action }: Review): string | null {
  const name = recordOf(proposed_action)?.['company_name']
  return typeof name === 'string' ? name : null
}

/** The findings a review is about; empty for a review about something else. */
export function findingsOf({ proposed_action }: Review): readonly Finding[] {
  const list = recordOf(proposed_action)?.['findings']
  if (!Array.isArray(list)) return []
  return list.filter((each): each is Finding => typeof recordOf(each)?.['finding_type'] === 'string')
}

/** For a review that is not for whoever reads this. */
export const waitsFor = ({ decider }: Review): string =>
  decider === 'seller'
    ? 'Waits for the seller: an agent who looks after this company decides it.'
    : 'Waits for an owner or an admin of the company, or for an agent who looks after it.'

export const riskTone = ({ risk }: Review): 'bad' | 'warn' | 'plain' =>
  risk === 'high' ? 'bad' : risk === 'medium' ? 'warn' : 'plain'
