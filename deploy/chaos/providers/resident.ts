/** The providers of all runs: one sandbox in this process, which outlives the application and follows its business time. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Sandbox } from '../../../connectors/sandbox/index.ts'
import { startSandbox } from '../../../connectors/sandbox/index.ts'
import { machineClock } from '../../machine.ts'
import { WarpClock } from '../../warp/warp-clock.ts'
import { sandboxWebhookSecret } from '../../webhooks.ts'
import type { ProviderCall } from './faults.ts'
import { ProviderFaults } from './faults.ts'

export interface Resident {
  readonly sandbox: Sandbox
  readonly faults: ProviderFaults
  readonly directory: string
  /** The providers' own log, oldest first. */
  readonly calls: ProviderCall[]
  now(): number
  /** While somebody holds it, the application's clock does not jump. */
  hold(who: string): void
  release(who: string): void
}

export interface ResidentOptions {
  readonly directory: string
  /** CODE_SECRET of the application: what webhooks are signed with follows from it. */
  readonly codeSecret: string
  readonly slowMs: number
  /** Kills the application now. */
  readonly kill: (why: string) => void
}

export async function openResident({ directory, codeSecret, slowMs, kill }: ResidentOptions): Promise<Resident> {
  mkdirSync(directory, { recursive: true })
  const clock = new WarpClock(join(directory, 'business-time'), machineClock.now())
  const calls: ProviderCall[] = []
  const holders = new Set<string>()
  const faults = new ProviderFaults({ now: () => clock.now(), slowMs, kill, log: (call) => void calls.push(call) })
  const sandbox = await startSandbox({
    directory,
    clock,
    realNow: () => machineClock.now(),
    webhookSecret: sandboxWebhookSecret({ code: codeSecret }),
    around: faults.around,
    follow: (now) => {
      clock.jumpTo(now)
      return holders.size > 0
    },
  })
  return {
    ...{ sandbox, faults, directory, calls },
    now: () => clock.now(),
    hold: (who) => void holders.add(who),
    release: (who) => void holders.delete(who),
  }
}
