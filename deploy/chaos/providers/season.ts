/** What several runs share: a directory, an application on it, and providers that outlive its lives. */

import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openPool } from '../../../connectors/postgres/index.ts'
import type { House } from '../../../examples/acquire/house.ts'
import { openHouse } from '../../../examples/acquire/house.ts'
import type { Client } from '../../../examples/acquire/http.ts'
import { client } from '../../../examples/acquire/http.ts'
import { askAdmin } from '../../admin-socket.ts'
import { checkEventIds } from '../checks.ts'
import { newHome } from '../instance.ts'
import { embeddedDatabaseUrl } from '../rows.ts'
import { startLogFindings } from '../start-log.ts'
import { Application } from './application.ts'
import type { Held } from './held.ts'
import { heldIn } from './held.ts'
import type { CompanyEnd } from './judge.ts'
import type { Resident } from './resident.ts'
import { openResident } from './resident.ts'
import type { Used } from './usage.ts'
import { sayUsed } from './usage.ts'

export interface Season {
  readonly directory: string
  readonly resident: Resident
  readonly application: Application
  /** Of all its runs so far. */
  readonly ends: CompanyEnd[]
  /** Our own people, who decide what we give back and try again; made by the first who asks. */
  house(): Promise<House>
  /** Asks the application, and the sandbox for what is the sandbox's, until the time. */
  clientUntil(deadlineAt: number): Client
  /** Said to the application when it is down the next time. */
  use(list: readonly Used[]): void
  /** How much of it is not said yet. */
  readonly unsaid: number
  held(): Promise<Held>
  /** @returns what its end has shown: damage in the log, event ids that came twice */
  close(): Promise<readonly string[]>
  /** Nothing is left of it. */
  remove(): void
}

const providerTimeoutMs = 2_500
const longestMs = 24 * 60 * 60 * 1000
const bucket = 'lifecycle-documents'

export async function openSeason(say: (line: string) => void): Promise<Season> {
  const { directory, dataDir, logFile, port, url } = await newHome()
  const codeSecret = randomBytes(32).toString('hex')
  let application: Application | null = null
  const kill = (why: string): void => application?.kill(why)
  const slowMs = providerTimeoutMs + 700
  const resident = await openResident({ directory: join(directory, 'providers'), codeSecret, slowMs, kill })
  const ends: CompanyEnd[] = []
  let opened: Promise<House> | null = null
  let unsaid: readonly Used[] = []
  const between = async (): Promise<void> => {
    if (unsaid.length === 0) return
    await sayUsed(dataDir, unsaid)
    unsaid = []
  }
  const settings = { ...settingsOf(resident.sandbox.url, codeSecret), PORT: String(port), DATA_DIR: dataDir }
  application = new Application({ url, settings, logFile, between, say })
  const running = application
  running.start()
  return {
    ...{ directory, resident, ends, application: running },
    clientUntil: (deadlineAt) => {
      const ours = client({ url, deadlineAt })
      const theirs = client({ url: resident.sandbox.url, deadlineAt })
      return (call) => (call.path.startsWith('/sandbox/') && call.path !== '/sandbox/clock' ? theirs(call) : ours(call))
    },
    house: () =>
      (opened ??= openHouse({
        client: client({ url, deadlineAt: Date.now() + longestMs }),
        admin: (...words) => adminOf(dataDir, words),
      })),
    use: (list) => {
      unsaid = [...unsaid, ...list]
    },
    get unsaid() {
      return unsaid.length
    },
    held: () => heldAt(dataDir),
    async close() {
      await running.stop()
      await resident.sandbox.close()
      const ids = await checkEventIds(dataDir).catch((error: unknown) => ({ repeated: [String(error)] }))
      return [...running.findings, ...ids.repeated, ...startLogFindings(readFileSync(logFile, 'utf8'))]
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

function settingsOf(sandboxUrl: string, codeSecret: string) {
  const timeout = String(providerTimeoutMs)
  const vendors = ['PERPLEXITY', 'WEBSCRAPER', 'SENDGRID', 'STRIPE', 'MIXPANEL', 'DOCUSIGN', 'OPENAI', 'ANTHROPIC']
  return {
    HOST: '127.0.0.1',
    CLOCK: 'warp',
    SANDBOX_URL: sandboxUrl,
    CODE_SECRET: codeSecret,
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'warn',
    S3_BUCKET: bucket,
    S3_ENDPOINT: `${sandboxUrl}/s3`,
    S3_ACCESS_KEY_ID: 'practice',
    S3_SECRET_ACCESS_KEY: 'practice',
    S3_TIMEOUT_MS: timeout,
    ...Object.fromEntries(vendors.map((vendor) => [`${vendor}_TIMEOUT_MS`, timeout])),
  }
}

async function adminOf(dataDir: string, [group = '', command = '', ...args]: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  await askAdmin(dataDir, { command: `${group} ${command}`, args }, (line) => void lines.push(line))
  return lines
}

async function heldAt(dataDir: string): Promise<Held> {
  const pool = openPool(embeddedDatabaseUrl(dataDir), { applicationName: 'chaos', max: 1, statementTimeoutMs: 60_000 })
  try {
    return await heldIn(pool)
  } finally {
    await pool.end()
  }
}
