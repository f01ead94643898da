/** The topology, as the API tells it. */

import type { Tone } from './tone.ts'

export interface TopologyNode {
  readonly name: string
  readonly kind: 'source' | 'processor' | 'async' | 'sink'
  readonly parents: readonly string[]
  readonly topics: readonly string[]
  readonly stores: readonly string[]
}

export interface TopologyPart {
  readonly name: string
  readonly nodes: readonly TopologyNode[]
  readonly stores: readonly { readonly name: string; readonly kind: string; readonly changelog: string | null }[]
}

export interface ApplicationView {
  readonly name: string
  readonly state: string
  /** Of the process that was asked. */
  readonly tasks: number
  readonly tasks_in_all: number
  readonly processed: number
  readonly blocked_keys: number
  readonly dead_letters: number
  readonly calls_in_flight: number
  readonly reads: readonly { readonly topic: string; readonly lag: number | null }[]
  readonly parts: readonly TopologyPart[]
}

export interface ProjectionView {
  readonly name: string
  readonly topic: string
  readonly tables: readonly string[]
  readonly state: string
  readonly trouble: string | null
  readonly lag: number | null
  readonly dead_letters: number
}

export interface TopologyView {
  readonly applications: readonly ApplicationView[]
  readonly projections: readonly ProjectionView[]
  readonly topics: readonly { readonly name: string; readonly partitions: number; readonly records: number }[]
}

export const lagOf = ({ reads }: ApplicationView): number => reads.reduce((sum, { lag }) => sum + (lag ?? 0), 0)

export function stateTone(state: string): Tone {
  if (state === 'running') return 'ok'
  if (state === 'failed' || state === 'refused') return 'bad'
  return state === 'elsewhere' ? 'plain' : 'warn'
}
