/** The whole platform on a directory of its own, with people and companies of several tenants, and one poisoned key. */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openEmbeddedLog, partitionFor, RecordBatchBuilder } from '../../connectors/kafka/index.ts'
import { askAdmin } from '../../deploy/admin-socket.ts'
import { embeddedDatabaseUrl } from '../../deploy/chaos/rows.ts'
import { readConfig } from '../../deploy/config.ts'
import { machineClock, machineRandom } from '../../deploy/machine.ts'
import type { Platform } from '../../deploy/platform.ts'
import { startPlatform } from '../../deploy/platform.ts'

/** Of everybody who signed up. */
const password = 'correct horse'
export const operatorEmail = 'ops@lifecycle.test'
export const agentEmail = 'agent@agents.test'

export interface Organization {
  readonly email: string
  readonly company: string
  readonly tenantId: string
  readonly organizationId: string
}

export class World implements AsyncDisposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'console-'))
  readonly #failures: Error[] = []
  readonly #passwords = new Map<string, string>()
  readonly #settings: Readonly<Record<string, string>>
  #platform!: Platform

  /** @param settings besides those of every world, by the names of the environment */
  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.#settings = settings
    chmodSync(this.#directory, 0o755)
  }

  get url(): string {
    return this.#platform.url
  }

  async start(): Promise<void> {
    const settings = { PORT: '0', RATE_LIMIT_PER_MINUTE: '0', LOG_LEVEL: 'error', CONSOLE_OPERATORS: operatorEmail }
    const result = readConfig({ ...settings, ...this.#settings, DATA_DIR: this.#directory })
    if ('errors' in result) throw new Error(result.errors.join('\n'))
    const failed = (error: Error): void => void this.#failures.push(error)
    this.#platform = await startPlatform({ config: result.config, version: 'test', notice: () => undefined, failed })
  }

  async call(method: string, path: string, body?: unknown, token?: string) {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text) }
  }

  /** Signed up and verified. @param before is called when the tenant is known and nothing has happened to it yet */
  async register(
    email: string,
    company: string,
    before?: (tenantId: string) => Promise<void>,
    industry = 'Software',
  ): Promise<Organization> {
    const person = { first_name: 'Ada', last_name: 'Byron', company_name: company, industry }
    const signup = await this.call('POST', '/api/v1/auth/signup', { email, password, ...person })
    if (signup.status !== 201) throw new Error(JSON.stringify(signup))
    const code = await this.until(`mail to ${email}`, async () => {
      const mails = (await this.call('GET', `/sandbox/mail?to=${encodeURIComponent(email)}`)).body as { text: string }[]
      return /\b\d{6}\b/.exec(mails.at(-1)?.text ?? '')?.[0] ?? null
    })
    const [{ tenant_id, organization_id }] = await this.sql(
      'select tenant_id, organization_id from auth.users where email = $1',
      [email],
    )
    await before?.(tenant_id)
    const verified = await this.call('POST', '/api/v1/auth/verify-email', { email, code })
    if (verified.status !== 200) throw new Error(JSON.stringify(verified))
    return { email, company, tenantId: tenant_id, organizationId: organization_id }
  }

  async tokenOf(email: string): Promise<string> {
    return (await this.call('POST', '/api/v1/auth/login', { email, password: this.passwordOf(email) })).body
      .access_token
  }

  /** One of our own people; the password is made for them. */
  async hire(email: string): Promise<void> {
    const lines: string[] = []
    const args = [email, 'Grace', 'Hill', 'North']
    await askAdmin(this.#directory, { command: 'agent create', args }, (line) => lines.push(line))
    this.#passwords.set(email, /shown this once: (.+)$/.exec(lines.join('\n'))![1]!)
  }

  passwordOf(email: string): string {
    return this.#passwords.get(email) ?? password
  }

  /** What no endpoint shows or does. */
  async sql(text: string, values: readonly unknown[] = []) {
    const client = new pg.Client({ connectionString: embeddedDatabaseUrl(this.#directory) })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows
    } finally {
      await client.end()
    }
  }

  /** Before anything has happened to the client, which no endpoint allows. */
  async assign(tenantId: string): Promise<void> {
    await this.sql(
      `insert into auth.client_assignments (tenant_id, user_id, team_id, role, created_at)
       select $1, user_id, team_id, 'owner', now() from auth.agents join auth.users using (user_id) where email = $2`,
      [tenantId, agentEmail],
    )
  }

  /** Records that nobody can read, between two lives of the process. */
  async poison(topic: string, key: string, times = 1): Promise<void> {
    await this.#platform.close()
    const log = await openEmbeddedLog({
      directory: join(this.#directory, 'log'),
      fsync: 'always',
      fsyncIntervalMs: 1_000,
      clock: machineClock,
      random: machineRandom,
      notice: () => undefined,
    })
    const [metadata] = await log.metadata([topic])
    const records = new RecordBatchBuilder()
    for (let n = 0; n < times; n++) records.append(Date.now(), Buffer.from(key), Buffer.from('rubbish'), [])
    const producer = await log.openProducer({ transactionalId: null, transactionTimeoutMs: 10_000 })
    await producer.append([{ topic, partition: partitionFor(Buffer.from(key), metadata!.partitions), records }])
    await producer.close()
    await log.close()
    await this.start()
  }

  async until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
    for (
      const deadline = Date.now() + 30_000;
      Date.now() < deadline;
      await new Promise((resolve) => setTimeout(resolve, 50))
    ) {
      const found = await look()
      if (found !== null) return found
    }
    throw new Error(`${what} did not come ${this.#failures.join(' ')}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#platform.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
