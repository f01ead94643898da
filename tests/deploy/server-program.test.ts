/** A server as a process, shown on a shell that only waits. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../deploy/local/free-port.ts'
import type { ServerProgramOptions } from '../../deploy/local/server-program.ts'
import { ServerProgram } from '../../deploy/local/server-program.ts'
import { seeProcess } from '../../deploy/local/server-process.ts'

const waits = 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'
const deaf = 'trap "" TERM; echo up; while :; do sleep 0.05; done'

let directory: string
let started: ServerProgram[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'server-program-'))
  started = []
})
afterEach(async () => {
  await Promise.all(started.map((server) => server.stop()))
  await rm(directory, { recursive: true, force: true })
})

const logged = async (): Promise<string> => readFile(join(directory, 'server.log'), 'utf8').catch(() => '')
const pidFile = (): string => join(directory, 'server.pid')

async function start(script: string, options: Partial<ServerProgramOptions> = {}): Promise<ServerProgram> {
  const isReady = async (): Promise<boolean> => (await logged()).includes('up')
  const given = { name: 'Shell', directory, program: 'bash', words: ['-c', script], port: await freePort(), isReady }
  const server = await ServerProgram.start({ ...given, readyWithinMs: 20_000, endWithinMs: 5_000, ...options })
  started.push(server)
  return server
}

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200 && (await seeProcess(pid)) !== null; tries++) await new Promise((done) => setTimeout(done, 25)) // prettier-ignore
  return (await seeProcess(pid)) === null
}

describe('a server program', () => {
  test('runs in its directory, writes its log and its id there, and is asked to end', async () => {
    const server = await start('trap "echo asked; exit 0" TERM; echo up; while :; do sleep 0.05; done')
    expect(await seeProcess(server.pid)).toEqual({ command: 'bash', directory })
    expect(await readFile(pidFile(), 'utf8')).toBe(`${server.pid}\n`)
    await server.stop()
    await server.ended
    expect(await seeProcess(server.pid)).toBeNull()
    expect(await logged()).toBe('up\nasked\n')
    expect(existsSync(pidFile())).toBe(false)
  })

  test('SP1: one that runs in the same directory is ended before the next is started', async () => {
    const first = await start(waits)
    const notices: string[] = []
    const second = await start(waits, { notice: (line) => void notices.push(line) })
    expect(notices).toEqual([`ending the Shell left running (process ${first.pid})`])
    expect(await seeProcess(first.pid)).toBeNull()
    expect(await seeProcess(second.pid)).not.toBeNull()
  })

  test('SP1: an id that is another program’s by now, or one that runs elsewhere, is left alone', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'server-elsewhere-'))
    const innocents = [
      spawn('bash', ['-c', waits], { cwd: elsewhere, stdio: 'ignore' }),
      spawn('sleep', ['60'], { cwd: directory, stdio: 'ignore' }),
    ]
    try {
      for (const { pid = 0 } of innocents) {
        await writeFile(pidFile(), String(pid))
        await (await start(waits)).stop()
        expect(await seeProcess(pid)).not.toBeNull()
      }
    } finally {
      for (const innocent of innocents) innocent.kill('SIGKILL')
      await rm(elsewhere, { recursive: true, force: true })
    }
  })

  test('SP2: it is killed when our process exits', async () => {
    const starter = spawn(process.execPath, [join(import.meta.dirname, 'start-and-exit.ts'), directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = await new Promise<string>((done) => starter.stdout.once('data', (bytes) => done(String(bytes))))
    const pid = Number(said)
    expect(pid).toBeGreaterThan(1)
    await new Promise((done) => starter.once('exit', done))
    expect(await isGone(pid)).toBe(true)
  })

  test('SP3: one that does not hear is killed after its time', async () => {
    const server = await start(deaf, { endWithinMs: 300 })
    await server.stop()
    expect(await seeProcess(server.pid)).toBeNull()
  })

  test('SP3: one that does not become ready is ended, and named with its log', async () => {
    const failing = start(waits, { isReady: () => Promise.resolve(false), readyWithinMs: 300 })
    await expect(failing).rejects.toThrow(`Shell did not become ready: see ${join(directory, 'server.log')}`)
    expect(existsSync(pidFile())).toBe(false)
  })

  test('SP3: one that ends while it starts is not waited for', async () => {
    const begun = performance.now()
    const failing = start('exit 3', { isReady: () => Promise.reject(new Error('not yet')), readyWithinMs: 60_000 })
    await expect(failing).rejects.toThrow('Shell did not become ready')
    expect(performance.now() - begun).toBeLessThan(30_000)
  })

  test('a program that is not there is one line', async () => {
    await expect(start('', { program: 'no-such-program' })).rejects.toThrow('Shell cannot be run: spawn no-such-program ENOENT') // prettier-ignore
  })

  test('a port that is taken is one line, and nothing is started', async () => {
    const taker = createServer()
    const port = await freePort()
    await new Promise<void>((done) => void taker.listen(port, '127.0.0.1', done))
    try {
      const failing = start(waits, { port })
      await expect(failing).rejects.toThrow(`Shell: port ${port} is taken; choose another, or end what listens there`)
      expect(await logged()).toBe('')
    } finally {
      await new Promise((done) => taker.close(done))
    }
  })

  test('who gives up while it starts is heard, and it is ended', async () => {
    const up = new AbortController()
    const failing = start(waits, {
      signal: up.signal,
      isReady: async () => {
        if ((await logged()).includes('up')) up.abort(new Error('no longer wanted'))
        return false
      },
    })
    await expect(failing).rejects.toThrow('no longer wanted')
    expect(existsSync(pidFile())).toBe(false)
  })
})
