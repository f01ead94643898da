/** `npm run local` as a person uses it: started, asked, ended with Ctrl-C, started again, killed, and given nonsense. */

import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../deploy/config.ts'
import { freePort, portIsFree } from '../../deploy/local/free-port.ts'
import { brokerLacks, kafkaJars } from '../../deploy/local/kafka.ts'
import { redisLacks } from '../../deploy/local/redis.ts'
import { seeProcess } from '../../deploy/local/server-process.ts'
import type { Command } from './npm-command.ts'
import { npmCommand } from './npm-command.ts'

/** Starts of a JVM on a busy machine. */
const patienceMs = 300_000

const whyNoBroker = async (): Promise<string | null> => (await brokerLacks()) ?? kafkaJars().then(() => null, String)

const [noBroker, noRedis] = [await whyNoBroker(), await redisLacks()]
const because = (lacks: string | null): string => (lacks === null ? '' : ` (skipped: ${lacks})`)

let scratch: string
const commands: Command[] = []
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'local-'))
  await chmod(scratch, 0o755)
})
afterEach(async () => {
  for (const command of commands.splice(0)) await command.end('SIGTERM')
}, 60_000)
afterAll(() => rm(scratch, { recursive: true, force: true }))

function local(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Command {
  const command = npmCommand('local', words, environment)
  commands.push(command)
  return command
}

async function refused(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const command = local(words, environment)
  const code = await command.ended
  return { code, printed: command.printed(), said: command.said() }
}

describe('what cannot be done is one line', () => {
  test('nonsense', async () => {
    const { code, printed, said } = await refused(['kafka', '--nodes', 'many'])
    expect([code, printed]).toEqual([64, ''])
    expect(said).toBe('--nodes: many is given; wanted a whole number from 1 to 5 (npm run local -- --help)\n')
  })

  test('nothing: how it is used', async () => {
    const { code, printed } = await refused([])
    expect(code).toBe(64)
    expect(printed).toContain('npm run local -- <server> [options]')
  })

  test('without Java and Redis: a line for each of them, with the cure, and nothing is started', async () => {
    const empty = join(scratch, 'empty')
    await mkdir(empty)
    const directory = join(scratch, 'not-made')
    const words = ['kafka', '--directory', directory, 'registry', '--directory', directory, 'redis']
    const { code, printed, said } = await refused(words, { PATH: empty })
    expect([code, printed]).toEqual([78, ''])
    expect(said.split('\n')).toEqual([
      'Kafka needs Java 17 or newer (java in PATH), found none',
      'the schema registry needs Java 17 or newer (java in PATH), found none',
      'Redis needs redis-server in PATH: apt-get install redis-server (Debian), or brew install redis (macOS)',
      '',
    ])
    await expect(stat(directory)).rejects.toThrow('ENOENT')
  })

  test('a Java that is too old', async () => {
    const old = join(scratch, 'old')
    await mkdir(old)
    await writeFile(join(old, 'java'), `#!/bin/sh\necho 'openjdk version "1.8.0_412"' >&2\n`)
    await chmod(join(old, 'java'), 0o755)
    const { code, said } = await refused(['kafka'], { PATH: `${old}:/bin` })
    expect([code, said]).toEqual([78, 'Kafka needs Java 17 or newer (java in PATH), found 8\n'])
  })

  test('a directory that cannot be one', async () => {
    const file = join(scratch, 'a-file')
    await writeFile(file, '')
    const { code, said } = await refused(['postgres', '--directory', file, '--port', String(await freePort())])
    expect(code).toBe(70)
    expect(said).toMatch(new RegExp(`^${file} cannot be locked: EEXIST.*\\n$`))
  })
})

describe('postgres', () => {
  test('its line starts the product on it, with the same secrets each time', async () => {
    const directory = join(scratch, 'postgres')
    const port = String(await freePort())
    const read: unknown[] = []
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const command = local(['postgres', '--port', port, '--directory', directory])
      await command.until('Ctrl-C stops it')
      expect(command.printed()).toContain(`\n  env $(cat ${directory}/settings.env) npm start\n`)
      const environment = await settingsIn(join(directory, 'settings.env'))
      const result = readConfig(environment)
      if ('errors' in result) throw new Error(result.errors.join('\n'))
      const { database, secrets } = result.config
      expect(new URL(database.url ?? '').port).toBe(port)
      expect(await countTables(database.url ?? '')).toBe(0)
      read.push(secrets)
      expect(await command.end(signal)).toBe(0)
      expect(command.said()).toMatch(/\nstopping\nstopped\n$/)
      expect(await portIsFree(Number(port))).toBe(true)
    }
    expect(read[1]).toEqual(read[0])
    expect((await stat(join(directory, 'settings.env'))).mode & 0o077).toBe(0)
  }, 120_000)

  test('on a port that is taken: one line', async () => {
    const port = String(await freePort())
    const holder = local(['postgres', '--port', port, '--directory', join(scratch, 'holder')])
    await holder.until('Ctrl-C stops it')
    const { code, said } = await refused(['postgres', '--port', port, '--directory', join(scratch, 'second')])
    expect(code).toBe(70)
    expect(said).toContain(`PostgreSQL: port ${port} is taken; choose another, or end what listens there\n`)
  }, 120_000)
})

async function settingsIn(file: string): Promise<Record<string, string>> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
}

async function countTables(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  const { rows } = await client.query<{ n: number }>(
    `select count(*)::int as n from pg_tables where schemaname = 'public'`,
  )
  await client.end()
  return rows[0]?.n
}

describe.skipIf(noRedis !== null)(`redis${because(noRedis)}`, () => {
  test('answers, and keeps what it was told', async () => {
    const directory = join(scratch, 'redis')
    const port = await freePort()
    const words = ['redis', '--port', String(port), '--directory', directory]
    const first = local(words)
    await first.until('Ctrl-C stops it')
    expect(first.printed()).toContain(`redis     redis://127.0.0.1:${port}   (data in ${directory})`)
    expect(await askRedis(port, 'SET tenant-a 1')).toBe('+OK')
    expect(await askRedis(port, 'SET tenant-b 2')).toBe('+OK')
    expect(await first.end('SIGINT')).toBe(0)
    expect(await portIsFree(port)).toBe(true)
    await local(words).until('Ctrl-C stops it')
    expect(await askRedis(port, 'GET tenant-b')).toBe('$1')
    expect(await askRedis(port, 'DBSIZE')).toBe(':2')
  }, 120_000)
})

/** The first line of its answer. */
async function askRedis(port: number, words: string): Promise<string> {
  const { createConnection } = await import('node:net')
  return new Promise((done, failed) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: 10_000 }, () => socket.write(`${words}\r\n`))
    socket.once('error', failed)
    socket.once('timeout', () => socket.destroy(new Error('no answer')))
    socket.once('data', (bytes) => {
      done(bytes.toString().split('\r\n')[0] ?? '')
      socket.destroy()
    })
  })
}

describe.skipIf(noBroker !== null)(`kafka${because(noBroker)}`, () => {
  const topics = ['tenant-a.opened', 'tenant-b.opened']
  let port: number
  let words: string[]
  const at = (): string[] => ['--bootstrap-server', `127.0.0.1:${port}`]
  const pidOf = async (): Promise<number> => Number(await readFile(join(scratch, 'kafka', 'server.pid'), 'utf8'))
  beforeAll(async () => {
    port = await freePort()
    words = ['kafka', '--port', String(port), '--directory', join(scratch, 'kafka')]
  })

  async function tool(...asked: string[]): Promise<{ code: number | null; printed: string; said: string }> {
    const command = npmCommand('kafka-tool', asked)
    return { code: await command.ended, printed: command.printed(), said: command.said() }
  }

  test(
    'starts, says the line, answers Kafka’s tools, and is gone after Ctrl-C',
    async () => {
      const command = local(words)
      await command.until(`  KAFKA_BROKERS=127.0.0.1:${port} npm start\n`)
      expect(command.said()).toMatch(/kafka: starting\n(.*\n)*kafka: ready in [\d.]+ s\n$/)
      for (const topic of topics)
        expect(await tool('topics', ...at(), '--create', '--topic', topic, '--partitions', '2')).toMatchObject({
          code: 0,
        })
      expect((await tool('topics', ...at(), '--list')).printed.trim().split('\n')).toEqual(topics)

      const again = await refused(words)
      expect(again).toMatchObject({ code: 70, printed: '' })
      expect(again.said).toMatch(/^.*kafka is in use by process \d+: stop it, or choose another directory\n$/)
      const samePort = await refused([...words.slice(0, 3), '--directory', join(scratch, 'other')])
      expect(samePort.said).toContain(`Kafka: port ${port} is taken; choose another, or end what listens there\n`)

      const pid = await pidOf()
      expect(await seeProcess(pid)).toMatchObject({ command: 'java' })
      expect(await command.end('SIGINT')).toBe(0)
      expect(await seeProcess(pid)).toBeNull()
      expect(await portIsFree(port)).toBe(true)
      await expect(pidOf()).rejects.toThrow('ENOENT')
    },
    patienceMs,
  )

  test(
    'what a killed command left behind is ended, and its data is there',
    async () => {
      const killed = local(words)
      await killed.until('Ctrl-C stops it')
      const pid = await pidOf()
      await killed.end('SIGKILL')
      expect(await seeProcess(pid)).toMatchObject({ command: 'java' })
      const next = local(words)
      await next.until('Ctrl-C stops it')
      expect(next.said()).toContain(`kafka: ending the Kafka left running (process ${pid})\n`)
      expect((await tool('get-offsets', ...at(), '--topic', topics[1] ?? '')).printed).toBe(
        'tenant-b.opened:0:0\ntenant-b.opened:1:0\n',
      )
    },
    patienceMs,
  )

  test(
    'when it ends by itself, the command says so and ends',
    async () => {
      const command = local(words)
      await command.until('Ctrl-C stops it')
      process.kill(await pidOf(), 'SIGKILL')
      expect(await command.ended).toBe(70)
      expect(command.said()).toContain(`kafka: ended by itself; its log is in ${join(scratch, 'kafka')}\n`)
    },
    patienceMs,
  )

  test(
    'another number of nodes than it was made with is one line',
    async () => {
      const { code, said } = await refused([...words, '--nodes', '3'])
      expect(code).toBe(70)
      expect(said).toContain(`${join(scratch, 'kafka')} holds a Kafka of 1 nodes, not 3: choose another directory, or delete it\n`) // prettier-ignore
    },
    patienceMs,
  )

  test(
    'Ctrl-C while it starts leaves nothing',
    async () => {
      const command = local(words)
      await command.until('kafka: starting', 'said')
      while (!(await pidOf().then(() => true, () => false))) await new Promise((done) => setTimeout(done, 10)) // prettier-ignore
      const pid = await pidOf()
      expect(await command.end('SIGINT')).toBe(130)
      expect(await seeProcess(pid)).toBeNull()
      expect(command.printed()).toBe('')
    },
    patienceMs,
  )

  test('a tool that Kafka does not have is one line with those that it has', async () => {
    const { code, said } = await tool('consumer-group')
    expect(code).toBe(64)
    expect(said).toMatch(/^usage: npm run kafka-tool -- acls\|.*\|consumer-groups\|.*\n$/)
  })
})
