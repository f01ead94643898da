import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { demoPage } from '../../../connectors/rendering/index.ts'
import { Agenda } from '../../../connectors/sandbox/agenda.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import { Script } from '../../../connectors/sandbox/script.ts'
import type { Visitors } from '../../../connectors/sandbox/visitors.ts'
import { visitors } from '../../../connectors/sandbox/visitors.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const day = 24 * 60 * 60 * 1000
const token = (letter: string): string => letter.repeat(64)

const step = (n: number) => ({ title: `Step ${String(n)}`, text: 'Text', finding_id: null })
const page = demoPage(
  {
    company_name: 'Acme',
    industry: null,
    headline: 'Hello',
    pain_points: [],
    steps: [step(1), step(2), step(3)],
    call_to_action: 'Talk',
  },
  { base_path: null, chat_enabled: true, seller_name: 'Lifecycle' },
)

interface Got {
  readonly at: number
  readonly door: string
  readonly agent: string
  readonly body: Readonly<Record<string, unknown>> | null
}

/** A platform with one page, and people who get mail. */
async function world(rules: readonly SandboxRule[] = [], statuses: number[] = []) {
  const got: Got[] = []
  const clock = new HandClock(start)
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const status = statuses.shift() ?? 200
      const body = text === '' ? null : (JSON.parse(text) as Record<string, unknown>)
      const door = `${request.method ?? ''} ${request.url ?? ''} ${String(status)}`
      got.push({ at: clock.now(), door, agent: String(request.headers['user-agent']), body })
      response.writeHead(status).end(request.method === 'GET' && status === 200 ? page : '')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'visitors-'))
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const script = new Script(join(directory, 'script.json'))
  script.replace(rules)
  let agenda: Agenda
  let people: Visitors
  const open = (): void => {
    agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
    people = visitors({ agenda, script, now: () => clock.now(), platformUrl: () => url })
    agenda.start()
  }
  open()
  onTestFinished(() => {
    agenda.close()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  return {
    got,
    get agenda() {
      return agenda
    },
    mail: (to: string, letter: string) =>
      people.reads({
        to,
        subject: 'Your demo is ready',
        text: `Hello,\n\nhttps://demo.example/d/${token(letter)}\n\nBye`,
      }),
    reads: (text: string) => people.reads({ to: 'x@y.example', subject: 's', text }),
    restart: () => {
      agenda.close()
      open()
    },
    /** Turns the clock to what is next until nothing is, or so often. */
    async pass(most = 200) {
      for (let turn = 0; turn < most; turn++) {
        const next = agenda.nextAt()
        if (next === null && !agenda.isBusy) return
        if (next !== null) await clock.turnTo(Math.max(next, clock.now()))
        do await new Promise((resolve) => setTimeout(resolve, 3))
        while (agenda.isBusy)
      }
    },
  }
}

const told = (got: readonly Got[], of: string) =>
  got.filter(({ door, body }) => body !== null && door.includes(`/d/${token(of)}/`)).map(({ body }) => body!)
const typesOf = (bodies: readonly Readonly<Record<string, unknown>>[]) =>
  bodies.map(({ type, text }) => type ?? typeof text)

test('two people go through their demos as the page would tell, and come back another day', async () => {
  const { got, mail, pass } = await world()
  mail('ada@acme.example', 'a')
  mail('bob@globex.example', 'b')
  await pass()
  for (const of of ['a', 'b']) {
    const first = got.find(({ door }) => door === `GET /d/${token(of)} 200`)!
    expect(first.at - start).toBeGreaterThanOrEqual(5 * 60_000)
    expect(first.at - start).toBeLessThan(3 * day) // before anybody nudges them
    const bodies = told(got, of)
    const types = typesOf(bodies).filter((type) => type !== 'string')
    expect(types).toEqual(['view', 'step', 'step', 'step', 'cta', 'view', 'step', 'step', 'step'])
    expect(bodies.flatMap(({ step: shown }) => shown ?? [])).toEqual([1, 2, 3, 1, 2, 3])
    expect(new Set(bodies.map(({ session_id }) => session_id)).size).toBe(2)
    const visits = got.filter(({ door }) => door.startsWith(`GET /d/${token(of)} `))
    expect(visits.length).toBe(2)
    expect(visits[1]!.at - visits[0]!.at).toBeGreaterThan(day)
    expect(new Set(got.filter(({ door }) => door.includes(token(of))).map(({ agent }) => agent)).size).toBe(1)
    // Between what is told lies the time that is told of.
    const dwelt = got.filter(({ body, door }) => body?.['type'] === 'step' && door.includes(token(of)))
    expect(dwelt[1]!.at - dwelt[0]!.at).toBe(dwelt[1]!.body!['dwell_ms'])
  }
  // Event times are whole milliseconds, also where business time jumps to what is next.
  expect(got.every(({ at }) => Number.isInteger(at))).toBe(true)
  expect(told(got, 'a')[0]?.['session_id']).not.toBe(told(got, 'b')[0]?.['session_id'])
})

test('the same person does the same again, whatever else happens', async () => {
  const [one, other] = [await world(), await world()]
  one.mail('ada@acme.example', 'a')
  other.mail('eve@acme.example', 'e')
  other.mail('ada@acme.example', 'a')
  await one.pass()
  await other.pass()
  const of = (got: readonly Got[]) => got.filter(({ door }) => door.includes(token('a')))
  expect(of(other.got)).toEqual(of(one.got))
})

test('people do what a script says of them', async () => {
  const rule = (company: string, answer: 'looks' | 'ignores' | 'robot'): SandboxRule => ({
    provider: 'sendgrid',
    operation: 'visit',
    companies: [company],
    answer,
  })
  const rules = [rule('look.example', 'looks'), rule('ignore.example', 'ignores'), rule('scan.example', 'robot')]
  const { got, mail, pass } = await world(rules)
  mail('l@look.example', 'l')
  mail('i@ignore.example', 'i')
  mail('s@scan.example', 's')
  await pass()
  expect(typesOf(told(got, 'l'))).toEqual(['view', 'step'])
  expect(got.filter(({ door }) => door.includes(token('i')))).toEqual([])
  expect(typesOf(told(got, 's'))).toEqual(['view'])
  const scanned = got.filter(({ door }) => door.includes(token('s')))
  expect(scanned.every(({ agent, at }) => agent.includes('Bot') && at - start < 60_000)).toBe(true)
})

test('what the platform cannot take yet is told later; a demo that is gone is left', async () => {
  const late = await world([], [404, 503, 200, 429, 204])
  late.mail('ada@acme.example', 'a')
  await late.pass(5)
  expect(late.got.map(({ door }) => door.slice(-3))).toEqual(['404', '503', '200', '429', '204'])
  expect(late.got[1]!.at - late.got[0]!.at).toBe(60_000)
  const gone = await world([], [410])
  gone.mail('ada@acme.example', 'a')
  await gone.pass()
  expect(gone.got.length).toBe(1)
})

test('a visit goes on after a kill where it was (VS1)', async () => {
  const killed = await world()
  const whole = await world()
  for (const each of [killed, whole]) each.mail('ada@acme.example', 'a')
  for (let turn = 0; turn < 30; turn++) {
    await killed.pass(1)
    killed.restart()
  }
  await whole.pass()
  expect(killed.got).toEqual(whole.got)
})

test('a mail without a link to a demo sends nobody anywhere', async () => {
  const { reads, agenda } = await world()
  for (const text of ['your code is 123456', 'https://demo.example/x/abc', 'https://demo.example/d/short']) reads(text)
  expect(agenda.nextAt()).toBeNull()
})
