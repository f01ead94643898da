/**
 * The leader's part of a rebalance: runs the assignor over what the members say of themselves, and withholds what another
 * member still holds (KIP-429), so that a partition is never given before it was given up.
 *
 *   SO1  A partition is given to a member only if no other member says it owns it. Of several that say so, the one of the
 *        latest generation owns it (an older claim was overtaken); of the same generation, nobody does, and nobody gets it.
 *   SO2  The assignment tells each member which of its attempts was read, so that one whose older request came in late
 *        learns that its newer claims were not seen.
 *   SO3  It says whether anything was withheld. Who was to give that up joins again by itself; when it dies before and comes
 *        back to its old place (a static member), nobody else would ask for the rebalance that is still to come.
 */

import { LogError } from '../port.ts'
import type { AssignorMember, GroupAssignor, MemberAssignment, TopicPartition } from '../port.ts'
import type { JoinedMember, JoinGroupResponse, SyncGroupRequest } from '../broker.ts'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.ts'
import type { Assignment, Subscription } from './consumer-protocol.ts'

const ATTEMPT_BYTES = 4
const NO_ATTEMPT = 0

interface Claimant extends AssignorMember {
  readonly generationId: number
  readonly attempt: number
}

/** What a member says of itself when it joins. @param attempt grows with each join that says something new */
export function encodeClaim(subscription: Subscription, attempt: number): Buffer {
  return encodeSubscription({ ...subscription, userData: stamped(attempt, subscription.userData) })
}

/** @returns a member's part, and the attempt that the leader has read */
export function decodeShare(bytes: Buffer): Assignment & { readonly attempt: number } {
  const { userData, ...rest } = decodeAssignment(bytes)
  return { ...rest, ...unstamped(userData) }
}

/** All topics that the members subscribe to. */
export function topicsOf(members: readonly JoinedMember[]): readonly string[] {
  return [...new Set(members.flatMap((member) => claimant(member).topics))].sort()
}

/** @throws LogError INVALID_REQUEST when the assignor fails, or gives what it must not */
export function shareOut(
  { members }: JoinGroupResponse,
  assignor: GroupAssignor,
  partitionCounts: ReadonlyMap<string, number>,
): SyncGroupRequest['assignments'] {
  const claimants = members.map(claimant)
  const wanted = runAssignor(assignor, claimants, partitionCounts)
  checkDisjoint(wanted)
  const mayHave = holderOf(claimants)
  const shares = claimants.map(({ memberId, attempt }) => {
    const { partitions, userData } = wanted.get(memberId) ?? { partitions: [], userData: Buffer.alloc(0) }
    const given = partitions.filter((partition) => (mayHave.get(nameOf(partition)) ?? memberId) === memberId)
    return { memberId, given, withheld: partitions.length - given.length, userData: stamped(attempt, userData) }
  })
  const unfinished = shares.some(({ withheld }) => withheld > 0)
  return shares.map(({ memberId, given, userData }) => ({
    memberId,
    assignment: encodeAssignment({ partitions: given, userData, unfinished }),
  }))
}

function claimant({ memberId, instanceId, metadata }: JoinedMember): Claimant {
  const { topics, owned, generationId, userData } = readable(metadata)
  return { memberId, instanceId, topics, owned, generationId, ...unstamped(userData) }
}

/** What cannot be read subscribes to nothing, and the others go on. */
function readable(metadata: Buffer): Subscription {
  try {
    return decodeSubscription(metadata)
  } catch {
    return { topics: [], owned: [], generationId: -1, userData: Buffer.alloc(0) }
  }
}

/** The owner of each partition that somebody claims; '' when it is disputed. */
function holderOf(claimants: readonly Claimant[]): ReadonlyMap<string, string> {
  const latest = new Map<string, { readonly memberId: string; readonly generationId: number }>()
  for (const { memberId, generationId, owned } of claimants) {
    for (const partition of owned) {
      const name = nameOf(partition)
      const other = latest.get(name)
      if (other === undefined || generationId > other.generationId) latest.set(name, { memberId, generationId })
      else if (generationId === other.generationId) latest.set(name, { memberId: '', generationId })
    }
  }
  return new Map([...latest].map(([name, { memberId }]) => [name, memberId]))
}

function runAssignor(
  assignor: GroupAssignor,
  claimants: readonly Claimant[],
  partitionCounts: ReadonlyMap<string, number>,
): ReadonlyMap<string, MemberAssignment> {
  const holders = holderOf(claimants)
  const members = claimants.map(({ memberId, instanceId, topics, owned, userData }) => ({
    memberId,
    instanceId,
    topics,
    owned: owned.filter((partition) => holders.get(nameOf(partition)) === memberId),
    userData,
  }))
  try {
    return assignor.assign(members, partitionCounts)
  } catch (error) {
    throw new LogError('INVALID_REQUEST', `the assignor ${assignor.name} failed: ${String(error)}`, 'stop', error)
  }
}

function checkDisjoint(wanted: ReadonlyMap<string, MemberAssignment>): void {
  const seen = new Set<string>()
  for (const { partitions } of wanted.values()) {
    for (const name of partitions.map(nameOf)) {
      if (seen.has(name)) throw new LogError('INVALID_REQUEST', `the assignor gave ${name} to two members`, 'stop')
      seen.add(name)
    }
  }
}

function stamped(attempt: number, userData: Buffer): Buffer {
  const bytes = Buffer.alloc(ATTEMPT_BYTES + userData.length)
  bytes.writeUInt32BE(attempt)
  userData.copy(bytes, ATTEMPT_BYTES)
  return bytes
}

function unstamped(bytes: Buffer): { readonly attempt: number; readonly userData: Buffer } {
  if (bytes.length < ATTEMPT_BYTES) return { attempt: NO_ATTEMPT, userData: bytes }
  return { attempt: bytes.readUInt32BE(0), userData: bytes.subarray(ATTEMPT_BYTES) }
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
