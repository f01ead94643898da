/**
 * The product over several processes on one Kafka and one PostgreSQL: an API that processes nothing, two that process and
 * serve nothing. They share the work, one is killed and comes back to it, one gives its work up, and nobody loses or
 * repeats a company.
 */

import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Instance } from '../../deploy/chaos/instance.ts'
import { freePort, startInstance } from '../../deploy/chaos/instance.ts'
import { environmentWith } from '../../deploy/config.ts'
import type { Kafka } from '../../deploy/local/kafka.ts'
import { kafkaJars, startKafka } from '../../deploy/local/kafka.ts'
import type { EmbeddedPostgres } from '../../deploy/local/embedded-postgres.ts'
import { startEmbeddedPostgres } from '../../deploy/local/embedded-postgres.ts'
import { whyNoKafka } from '../conformance/record.ts'

const minutes = 60_000
const secretNames = ['JWT_SECRET', 'CODE_SECRET', 'EMAIL_PEPPER', 'DATA_KEY_SECRET', 'DATABASE_ROLE_SECRET']
const lacks = await whyNoKafka()
const inCI = process.env.CI === 'true'
if (lacks !== null) console.log(`the product is not run over several processes: ${lacks}`)

interface Process {
  readonly url: string
  readonly logFile: string
  instance: Instance
  start(settings?: Readonly<Record<string, string>>): Promise<void>
}

interface Health {
  readonly applications: readonly { readonly application: string; readonly tasks: number; readonly state: string }[]
}

describe.skipIf(lacks !== null && !inCI)(`several processes${lacks === null ? '' : ` (${lacks})`}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'processes-'))
  // PostgreSQL may run as another user.
  chmodSync(directory, 0o755)
  const processes: Process[] = []
  let kafka: Kafka
  let database: EmbeddedPostgres
  let shared: Readonly<Record<string, string>>
  let [api, one, two] = [] as unknown as [Process, Process, Process]

  beforeAll(async () => {
    kafka = await startKafka({ directory: join(directory, 'kafka'), jars: await kafkaJars() })
    // Of its own: the roles' passwords belong to a server, and the processes set them.
    database = await startEmbeddedPostgres({
      directory: join(directory, 'postgres'),
      durable: false,
      notice: () => undefined,
    })
    shared = {
      KAFKA_BROKERS: kafka.bootstrap,
      DATABASE_URL: database.url,
      SESSION_TIMEOUT_MS: '20000',
      LOG_LEVEL: 'error',
      RATE_LIMIT_PER_MINUTE: '0',
      ...Object.fromEntries(secretNames.map((name) => [name, name.padEnd(32, '.')])),
    }
    // Side by side, as a deployment starts them: topics, migrations and schemas are made once.
    ;[api, one, two] = (await Promise.all([
      startProcess('api', { ROLES: 'api,sinks,effects' }),
      startProcess('one', { ROLES: 'worker', STREAM_WORKERS: '2' }),
      startProcess('two', { ROLES: 'worker' }),
    ])) as [Process, Process, Process]
  }, 5 * minutes)

  afterAll(async () => {
    await Promise.all(processes.map(({ instance }) => instance.stop()))
    await kafka.stop()
    await database.stop()
    rmSync(directory, { recursive: true, force: true })
  }, 2 * minutes)

  async function startProcess(name: string, own: Readonly<Record<string, string>>): Promise<Process> {
    const port = await freePort()
    const logFile = join(directory, `${name}.log`)
    const started: Process = {
      url: `http://127.0.0.1:${port}`,
      logFile,
      instance: undefined as unknown as Instance,
      async start(settings = {}) {
        const dataDir = join(directory, name)
        const all = { ...shared, ...own, ...settings, PORT: String(port), DATA_DIR: dataDir }
        started.instance = startInstance({ url: started.url, settings: all, logFile })
        if (!(await started.instance.ready()))
          throw new Error(`${name} did not start: ${readFileSync(logFile, 'utf8')}`)
      },
    }
    processes.push(started)
    await started.start()
    return started
  }

  const tasksOf = async ({ url }: Process): Promise<Record<string, number>> => {
    const { applications } = (await (await fetch(`${url}/health`)).json()) as Health
    return Object.fromEntries(applications.map(({ application, tasks }) => [application, tasks]))
  }

  /** Until the tasks of an application are shared as wanted. */
  async function untilShared(wanted: (counts: readonly [number, number]) => boolean): Promise<void> {
    for (const deadline = Date.now() + minutes; ; await sleep(100)) {
      const counts = await Promise.all([tasksOf(one), tasksOf(two)])
      const names = Object.keys({ ...counts[0], ...counts[1] })
      if (names.length > 1 && names.every((name) => wanted([counts[0][name] ?? 0, counts[1][name] ?? 0]))) return
      if (Date.now() > deadline) throw new Error(`the tasks are shared as ${JSON.stringify(counts)}`)
    }
  }

  /** Companies from sign-up to results, one after the other; fails unless none was lost and none came twice. */
  async function acquire(count: number, firstCopy: number, meanwhile: () => Promise<void>): Promise<void> {
    const script = join(import.meta.dirname, '../../examples/acquire.ts')
    const given = ['--url', api.url, '--sequential', String(count), '--first-copy', String(firstCopy)]
    const child = spawn(process.execPath, [script, ...given, '--timeout-min', '3'], { env: environmentWith({}) })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += String(chunk)))
    const ended = new Promise<number | null>((resolve) => void child.once('close', resolve))
    await meanwhile()
    const code = await ended
    expect(said).toContain('as expected')
    expect(code).toBe(0)
  }

  test(
    'share the tasks of every service, over threads and processes',
    async () => {
      await untilShared(([a, b]) => b >= 1 && a === 2 * b)
      expect(await tasksOf(api)).toEqual({ effects: 6, 'demo-chat': 6 })
      const root = await fetch(`${one.url}/api/v1/auth/login`, { method: 'POST' })
      expect(root.status, 'a process without the role api serves no API').toBe(404)
      expect(await (await fetch(`${one.url}/metrics`)).text()).toContain(
        'stream_tasks_running{application="research"} 2',
      )
    },
    2 * minutes,
  )

  test(
    'one that is killed comes back to its tasks, and the others notice nothing',
    async () => {
      const before = readFileSync(one.logFile, 'utf8').length
      await acquire(8, 1, async () => {
        await sleep(1_000)
        await two.instance.kill()
        await two.start()
        await untilShared(([a, b]) => b >= 1 && a === 2 * b)
      })
      expect(readFileSync(one.logFile, 'utf8').slice(before)).toBe('')
    },
    4 * minutes,
  )

  test(
    'one that leaves gives its tasks to the others at once',
    async () => {
      await two.instance.stop()
      await two.start({ LEAVE_ON_CLOSE: 'true' })
      await acquire(8, 2, async () => {
        await sleep(1_000)
        const { code } = await two.instance.stop()
        expect(code).toBe(0)
        for (const deadline = Date.now() + 10_000; ; await sleep(50)) {
          if (Object.values(await tasksOf(one)).every((count) => count >= 3 && count % 3 === 0)) break
          expect(Date.now(), 'well before the session of the one that left is over').toBeLessThan(deadline)
        }
      })
    },
    4 * minutes,
  )
})
