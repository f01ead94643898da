import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openPool } from '../../connectors/postgres/index.ts'
import type { EmbeddedPostgres } from '../../deploy/local/embedded-postgres.ts'
import { startEmbeddedPostgres } from '../../deploy/local/embedded-postgres.ts'
import { seeProcess } from '../../deploy/local/server-process.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean()
})

/** Below a directory that only we can walk into, as mkdtemp's and /root are. Initialised once: that takes longest. */
let top: string
let directory: string
const firstNotices: string[] = []
beforeAll(async () => {
  top = await mkdtemp(join(tmpdir(), 'embedded-postgres-'))
  directory = join(top, 'postgres')
  const server = await startEmbeddedPostgres({
    directory,
    durable: false,
    notice: (line) => void firstNotices.push(line),
  })
  await server.stop()
})
afterAll(() => rm(top, { recursive: true, force: true }))

async function start(notices: string[] = [], at = directory): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    directory: at,
    durable: false,
    notice: (line) => void notices.push(line),
  })
  cleanUp.push(() => server.stop())
  return server
}

async function one(url: string, statement: string): Promise<unknown> {
  const pool = openPool(url, { applicationName: 'test' })
  try {
    return Object.values((await pool.query<Record<string, unknown>>(statement)).rows[0] ?? {})[0]
  } finally {
    await pool.end()
  }
}

describe('startEmbeddedPostgres', () => {
  test('initialises, stops, starts again with what was written, on the same port', async () => {
    const notices: string[] = []
    const first = await start(notices)
    await one(first.url, 'create table kept (tenant text)')
    await one(first.url, `insert into kept values ('a'), ('b')`)
    expect(await one(first.url, `select rolsuper or rolbypassrls from pg_roles where rolname = session_user`)).toBe(
      false,
    )
    await first.stop()
    expect(await seeProcess(first.pid)).toBeNull()
    const second = await start(notices)
    expect(second.url).toBe(first.url)
    expect(await one(second.url, 'select count(*)::int from kept')).toBe(2)
    const ready = expect.stringMatching(/^postgres: ready on port \d+ in \d+ ms$/) as string
    expect(firstNotices.at(-2)).toBe(`postgres: initialising ${join(directory, 'data')}`)
    expect(firstNotices.at(-1)).toEqual(ready)
    expect(notices).toEqual([ready, ready])
  })

  test('E3: loopback only, no socket file, a password of its own that others cannot read', async () => {
    const { url, superuserUrl } = await start()
    expect(
      await one(
        superuserUrl,
        `select current_setting('listen_addresses') || current_setting('unix_socket_directories')`,
      ),
    ).toBe('127.0.0.1')
    expect((await stat(join(directory, 'password'))).mode & 0o077).toBe(0)
    expect((await stat(directory)).mode & 0o077).toBe(0)
    const wrong = new URL(url)
    wrong.password = 'guess'
    await expect(one(wrong.toString(), 'select 1')).rejects.toThrow('password authentication failed')
  })

  test('E1: a server whose starter was killed with -9 is adopted, with its data', async () => {
    const child = spawn(process.execPath, [new URL('./start-and-wait.ts', import.meta.url).pathname, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url = '', pid = ''] = (
      await new Promise<string>((done) => child.stdout.once('data', (bytes) => done(String(bytes))))
    )
      .trim()
      .split(' ')
    cleanUp.push(async () => (await start()).stop())
    await one(url, 'create table adopted (tenant text)')
    child.kill('SIGKILL')
    await new Promise((done) => child.once('exit', done))
    expect(await seeProcess(Number(pid))).toMatchObject({ command: 'postgres' })
    const notices: string[] = []
    const adopted = await start(notices)
    expect(adopted).toMatchObject({ pid: Number(pid), url })
    expect(await one(adopted.url, 'select count(*)::int from adopted')).toBe(0)
    expect(notices).toEqual([expect.stringMatching(/^postgres: adopted the server left running/)])
    await adopted.stop()
    expect(await seeProcess(adopted.pid)).toBeNull()
  })

  test('E1: the pid file of a server that is gone is removed, also when its id is now another program’s', async () => {
    const first = await start()
    process.kill(first.pid, 'SIGKILL')
    while ((await seeProcess(first.pid)) !== null) await new Promise((done) => setTimeout(done, 10))
    const pidFile = join(directory, 'data', 'postmaster.pid')
    const lines = (await readFile(pidFile, 'utf8')).split('\n')
    await writeFile(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'))
    const notices: string[] = []
    const second = await start(notices)
    expect(await one(second.url, 'select 1')).toBe(1)
    expect(notices[0]).toBe(`postgres: removed the pid file of a server that is gone (process ${process.pid})`)
  })

  test('another port is chosen, and kept, when the kept one is taken', async () => {
    const first = await start()
    await first.stop()
    const port = Number(new URL(first.url).port)
    const taker = createServer()
    await new Promise<void>((done) => void taker.listen(port, '127.0.0.1', done))
    cleanUp.push(() => new Promise((done) => taker.close(done)))
    const notices: string[] = []
    const second = await start(notices)
    expect(notices[0]).toBe(`postgres: port ${port} is taken, choosing another`)
    expect(await one(second.url, 'select 1')).toBe(1)
    expect(Number(await readFile(join(directory, 'port'), 'utf8'))).toBe(Number(new URL(second.url).port))
  })

  test('E2: what an interrupted initialisation left is not taken for a database', async () => {
    const fresh = join(top, 'interrupted')
    await mkdir(join(fresh, 'data.new'), { recursive: true })
    await writeFile(join(fresh, 'data.new', 'PG_VERSION'), '18')
    expect(await one((await start([], fresh)).url, 'select 1')).toBe(1)
  })

  test('a database whose password file is lost says so in one line', async () => {
    await rename(join(directory, 'password'), join(directory, 'elsewhere'))
    cleanUp.push(() => rename(join(directory, 'elsewhere'), join(directory, 'password')))
    await expect(start()).rejects.toThrow(/password is missing: without it the database in .* cannot be opened$/)
  })
})
