/** The applications of this process, whatever worker and thread runs which part of them. */

import type { ApplicationState, ApplicationStatus, ApplicationWorker, BlockedKey } from '../../topology/index.ts'

export type BlockedKeyOfTask = BlockedKey & { readonly task: string }

export interface HostedApplication {
  readonly name: string
  status(): Promise<ApplicationStatus>
  /** Records between what it has processed and the end of its inputs. */
  lag(): Promise<bigint>
  blocked(): Promise<readonly BlockedKeyOfTask[]>
  /** Processes a blocked key's records again, in order. @returns how many are left set aside */
  redrive(key: Buffer, options: { readonly skipFirst: boolean }): Promise<number>
}

export const hostedHere = (application: ApplicationWorker): HostedApplication => ({
  name: application.name,
  status: () => Promise.resolve(application.status()),
  lag: () => application.lag(),
  blocked: () => Promise.resolve(application.blocked()),
  redrive: (key, options) => application.redrive(key, options),
})

/** One application over all the workers that run it. @param parts at least one */
export function merged(parts: readonly HostedApplication[]): HostedApplication {
  return {
    name: parts[0]!.name,
    status: async () => mergedStatus(await Promise.all(parts.map((part) => part.status()))),
    lag: async () => (await Promise.all(parts.map((part) => part.lag()))).reduce((sum, lag) => sum + lag, 0n),
    blocked: async () => (await Promise.all(parts.map((part) => part.blocked()))).flat(),
    redrive: async (key, options) => {
      const left = await Promise.all(parts.map((part) => part.redrive(key, options)))
      return left.reduce((sum, count) => sum + count, 0)
    },
  }
}

/** The further to the right, the more an operator has to know of it. */
const byConcern: readonly ApplicationState[] = [
  'running',
  'created',
  'starting',
  'recovering',
  'closing',
  'closed',
  'failed',
]

export function mergedStatus(parts: readonly ApplicationStatus[]): ApplicationStatus {
  const [first, ...others] = parts
  return others.reduce((sum, part) => {
    const numbers = Object.entries(part).flatMap(([name, value]) =>
      typeof value === 'number' ? [[name, value + Number(sum[name as keyof ApplicationStatus])] as const] : [],
    )
    const state = byConcern[Math.max(byConcern.indexOf(sum.state), byConcern.indexOf(part.state))]!
    return { ...sum, ...Object.fromEntries(numbers), state }
  }, first!)
}
