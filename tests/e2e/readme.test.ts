/** README's first five minutes, run as printed against an instance of its own: every command, and what it prints. */

import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Instance } from '../../deploy/chaos/instance.ts'
import { freePort, startInstance } from '../../deploy/chaos/instance.ts'
import { variables } from '../../deploy/configuration/variables.ts'

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
const address = 'http://127.0.0.1:8080'
const patienceMs = 30_000

/** A shell block and the text block that follows it. */
const steps = [...readme.matchAll(/```sh\n([^]*?)```\s*```text\n([^]*?)```/g)].map(
  ([, command = '', printed = '']) => ({ command, printed }),
)

let directory: string
let url: string
let instance: Instance
/** Variables that an earlier block has set. */
let remembered = ''

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'readme-'))
  chmodSync(directory, 0o755)
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const settings = { PORT: String(port), DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'warn' }
  instance = startInstance({ url, settings, logFile: join(directory, 'instance.log') })
  if (!(await instance.ready())) throw new Error(readFileSync(join(directory, 'instance.log'), 'utf8'))
}, 120_000)

afterAll(async () => {
  await instance.stop()
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

test('the session has commands', () => {
  expect(steps.length).toBeGreaterThan(6)
})

// A person types slower than events travel: a command is repeated until it prints what it must.
test.each(steps.map((step) => [step.command.split('\n').at(-2)?.trim().slice(0, 60) ?? '', step] as const))(
  '%s …',
  async (_, { command, printed }) => {
    const wanted = patternOf(printed)
    const deadline = Date.now() + patienceMs
    let output = ''
    do output = await shell(`${remembered}\n${command.replaceAll(address, url)}`)
    while (!wanted.test(output.trimEnd()) && Date.now() < deadline)
    expect(output.trimEnd()).toMatch(wanted)
    remembered += [...command.replaceAll(address, url).matchAll(/^[A-Z]+=\$\([^]*?\)$/gm)]
      .map(([line]) => `${line}\n`)
      .join('')
  },
  patienceMs + 10_000,
)

/** `…` stands for anything. */
function patternOf(printed: string): RegExp {
  const literal = printed
    .trimEnd()
    .split('…')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${literal.join('[^]*')}$`)
}

function shell(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

test('the table of settings names every variable with its default', () => {
  for (const [name, { fallback, meaning }] of Object.entries(variables)) {
    expect(readme).toContain(`| \`${name}\` | ${(fallback ?? '') === '' ? '' : `\`${fallback}\``} | ${meaning} |`)
  }
})

test('every npm script it names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    scripts: object
  }
  const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
  expect(named.length).toBeGreaterThan(5)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})
