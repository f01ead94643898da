/** The log of calls: what was asked of the stand-ins, however it was answered. */

import { Journal } from './journal.ts'
import type { Place } from './journal.ts'
import type { SandboxProvider } from './script.ts'

export interface LoggedCall {
  /** ISO 8601. */
  readonly at: string
  readonly provider: SandboxProvider
  readonly operation: string
  readonly companies: readonly string[]
  /** 0 when the connection was closed without an answer. */
  readonly status: number
}

export interface CallLog {
  append(call: LoggedCall): void
  /** How many there ever were, and the newest of them, newest last. */
  read(
    provider: SandboxProvider | null,
    operation: string | null,
    limit: number,
  ): { readonly total: number; readonly calls: LoggedCall[] }
  close(): void
}

const newestKept = 10_000

export function callLog(path: string): CallLog {
  const newest = new Map<string, Place[]>()
  const totals = new Map<string, number>()
  const journal = new Journal<LoggedCall>({
    path,
    maxBytes: 64 * 1024 * 1024,
    known: ({ provider, operation }, place) => {
      for (const group of groupsOf(provider, operation)) {
        totals.set(group, (totals.get(group) ?? 0) + 1)
        const places = newest.get(group) ?? []
        newest.set(group, places)
        places.push(place)
        if (places.length > 2 * newestKept) places.splice(0, newestKept)
      }
    },
  })
  return {
    append: (call) => journal.append(call),
    read(provider, operation, limit) {
      const group = `${provider ?? ''} ${operation ?? ''}`
      const places = newest.get(group) ?? []
      return {
        total: totals.get(group) ?? 0,
        calls: places.slice(-limit).flatMap((place) => journal.read(place) ?? []),
      }
    },
    close: () => journal.close(),
  }
}

const groupsOf = (provider: string, operation: string): string[] => [
  ' ',
  `${provider} `,
  ` ${operation}`,
  `${provider} ${operation}`,
]
