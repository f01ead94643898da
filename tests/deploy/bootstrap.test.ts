/** The bootstrap in a tree of its own, with an npm that only pretends: what is installed when, and what reaches the command. */

import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'

const trees: string[] = []
afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true })
})

/** Writes down that it was called, then does what `plan` says: install, nothing, or fail. */
const pretendedNpm = `
const fs = require('fs'), path = require('path')
fs.appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n')
const plan = fs.readFileSync('plan', 'utf8')
console.log('npm http fetch GET 200 https://packages.test/a.tgz 5ms (cache miss)')
if (plan === 'slow') { setTimeout(() => {}, 60000); return }
if (plan === 'fail') { console.error('npm error code E404'); process.exit(1) }
fs.rmSync('node_modules', { recursive: true, force: true })
fs.mkdirSync('node_modules/.bin', { recursive: true })
fs.writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: { 'node_modules/a': { version: '1.0.0' } } }))
if (plan === 'install') fs.symlinkSync(${JSON.stringify(process.execPath)}, 'node_modules/.bin/node')
`

function newTree(plan = 'install'): string {
  const tree = mkdtempSync(join(tmpdir(), 'bootstrap-'))
  trees.push(tree)
  mkdirSync(join(tree, 'deploy/bin'), { recursive: true })
  mkdirSync(join(tree, 'tool'))
  copyFileSync(join(import.meta.dirname, '../../deploy/bootstrap.mjs'), join(tree, 'deploy/bootstrap.mjs'))
  writeFileSync(join(tree, 'tool/npm-cli.js'), pretendedNpm)
  writeFileSync(join(tree, 'plan'), plan)
  writeLock(tree, '1.0.0')
  command(tree, 'console.log(`command ${process.argv.slice(2).join(" ")}`)')
  return tree
}

function writeLock(tree: string, version: string): void {
  const packages = {
    '': {},
    'node_modules/a': { version },
    'node_modules/elsewhere': { version: '2.0.0', optional: true },
  }
  writeFileSync(join(tree, 'package-lock.json'), JSON.stringify({ packages }))
}

const command = (tree: string, code: string): void => writeFileSync(join(tree, 'deploy/bin/start.ts'), code)

interface Ended {
  readonly code: number | null
  readonly output: string
}

function launch(
  tree: string,
  args: readonly string[] = ['start'],
): { child: ChildProcess; output: () => string; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(tree, 'deploy/bootstrap.mjs'), ...args], {
    env: { PATH: process.env['PATH'], npm_execpath: join(tree, 'tool/npm-cli.js') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
  return { child, output: () => output, ended }
}

const run = (tree: string, args?: readonly string[]): Promise<Ended> => launch(tree, args).ended
const calls = (tree: string): number =>
  existsSync(join(tree, 'calls')) ? readFileSync(join(tree, 'calls'), 'utf8').trimEnd().split('\n').length : 0

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 25))
  expect(condition()).toBe(true)
}

describe('an install is done once (B1)', () => {
  test('the first time with progress, the second time not at all; arguments reach the command', async () => {
    const tree = newTree()
    const first = await run(tree, ['start', 'a', 'b c'])
    expect(first.output).toMatch(/installing, the first time only: .*\ninstalled in \d+ s\ncommand a b c\n$/s)
    expect(readFileSync(join(tree, 'calls'), 'utf8')).toMatch(/^ci --include=dev --include=optional /)
    expect((await run(tree)).output).toBe('command \n')
    expect(calls(tree)).toBe(1)
    expect(existsSync(join(tree, 'install.log'))).toBe(false)
  })

  test('again when the lock file changes', async () => {
    const tree = newTree()
    await run(tree)
    writeLock(tree, '1.0.1')
    expect((await run(tree)).code).toBe(0)
    expect(calls(tree)).toBe(2)
  })

  test('what somebody installed by hand is taken over when it is what the lock file says', async () => {
    const tree = newTree()
    await run(tree)
    rmSync(join(tree, 'node_modules/.install-stamp'))
    expect((await run(tree)).output).toBe('command \n')
    expect(calls(tree)).toBe(1)
    rmSync(join(tree, 'node_modules/.install-stamp'))
    writeLock(tree, '1.0.1')
    await run(tree)
    expect(calls(tree)).toBe(2)
  })

  test('one that failed says why, and is tried again', async () => {
    const tree = newTree('fail')
    const { code, output } = await run(tree)
    expect(code).toBe(1)
    expect(output).toContain('npm error code E404')
    expect(output).toContain('install failed (npm ci ended with 1); the whole log is in')
    expect(output).not.toContain('npm http')
    writeFileSync(join(tree, 'plan'), 'install')
    expect((await run(tree)).output).toMatch(/command \n$/)
    expect(calls(tree)).toBe(2)
  })

  test('one without install scripts is refused with the cure', async () => {
    const { code, output } = await run(newTree('nothing'))
    expect(code).toBe(1)
    expect(output).toContain('run "npm ci --ignore-scripts=false", then this again')
  })

  test('one that was interrupted leaves nothing that stops the next', async () => {
    const tree = newTree('slow')
    const { child, ended } = launch(tree)
    await until(() => calls(tree) === 1)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 130, output: expect.stringContaining('install interrupted') as string })
    writeFileSync(join(tree, 'plan'), 'install')
    expect((await run(tree)).code).toBe(0)
  })
})

describe('one install at a time (B2)', () => {
  test('two commands at once: one installs, both run', async () => {
    const tree = newTree()
    const both = await Promise.all([run(tree), run(tree)])
    for (const { code, output } of both) expect([code, output.endsWith('command \n')]).toEqual([0, true])
    expect(calls(tree)).toBe(1)
  })

  test('a lock left by a process that is gone is taken', async () => {
    const tree = newTree()
    const gone = spawn(process.execPath, ['-e', ''])
    await new Promise((resolve) => gone.once('close', resolve))
    writeFileSync(join(tree, '.install.lock'), String(gone.pid))
    expect((await run(tree)).code).toBe(0)
    expect(existsSync(join(tree, '.install.lock'))).toBe(false)
  })
})

describe('the command (B3)', () => {
  test('its exit code is ours', async () => {
    const tree = newTree()
    command(tree, 'process.exit(78)')
    expect((await run(tree)).code).toBe(78)
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s reaches it once', async (signal) => {
    const tree = newTree()
    command(
      tree,
      `process.on('${signal}', () => { console.log('got it'); setTimeout(() => process.exit(3), 200) }); setInterval(() => {}, 1000); console.log('up')`,
    )
    const { child, output, ended } = launch(tree)
    await until(() => output().includes('up'))
    child.kill(signal)
    const { code, output: all } = await ended
    expect(code).toBe(3)
    expect(all.match(/got it/g)).toHaveLength(1)
  })

  test('one that is not there is one line with those that are', async () => {
    const { code, output } = await run(newTree(), ['strat'])
    expect(code).toBe(64)
    expect(output).toMatch(/^usage: node deploy\/bootstrap\.mjs start\|test\|.*\n$/)
  })
})
