import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Agenda } from '../../../connectors/sandbox/agenda.ts'
import { Deliveries } from '../../../connectors/sandbox/deliveries.ts'
import type { SandboxRule } from '../../../connectors/sandbox/index.ts'
import { Script } from '../../../connectors/sandbox/script.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'

const start = 1_000_000
const realNow = 77

/** A platform that notes what it is given and answers as told, and the deliveries to it. */
async function platform(rules: readonly SandboxRule[], statuses: number[] = []) {
  const got: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const status = statuses.shift() ?? 200
      got.push(`${request.url} ${String(request.headers['x-signature'])} ${Buffer.concat(chunks).toString()} ${status}`)
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const directory = mkdtempSync(join(tmpdir(), 'deliveries-'))
  const clock = new HandClock(start)
  const script = new Script(join(directory, 'script.json'))
  script.replace(rules)
  const agenda = new Agenda(join(directory, 'agenda.ndjson'), clock)
  const now = () => clock.now()
  const platformUrl = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const deliveries = new Deliveries({ agenda, script, now, realNow: () => realNow, platformUrl })
  deliveries.signer('sendgrid', (raw, nowMs, fault) => ({ 'x-signature': `${nowMs}:${raw.length}:${fault ?? 'well'}` }))
  agenda.start()
  onTestFinished(() => {
    agenda.close()
    server.close()
    server.closeAllConnections()
    rmSync(directory, { recursive: true })
  })
  const idle = async (): Promise<void> => {
    do await new Promise((resolve) => setTimeout(resolve, 5))
    while (agenda.isBusy)
  }
  const send = (id: string, at = start) =>
    deliveries.send({ provider: 'sendgrid', id, event: 'delivered', companies: ['Acme'], body: id, at })
  return { got, send, idle, clock }
}

const url = '/webhooks/sendgrid/sandbox'
const well = (body: string) => `${url} ${realNow}:${body.length}:well ${body} 200`

describe('deliveries', () => {
  it('posts at its time, signed with real time', async () => {
    const { got, send, idle, clock } = await platform([])
    send('m1', start + 500)
    await idle()
    expect(got).toEqual([])
    await clock.turnTo(start + 500)
    await idle()
    expect(got).toEqual([well('m1')])
  })

  it('tries again until it is taken, and no more after', async () => {
    const { got, send, idle, clock } = await platform([], [500, 401])
    send('m1')
    for (let step = 0; step < 10; step++) {
      await idle()
      await clock.turnTo(clock.now() + 1_000)
    }
    expect(got.map((line) => line.slice(-3))).toEqual(['500', '401', '200'])
  })

  it('comes late, twice, wrongly signed or not at all when scripted', async () => {
    const { got, send, idle, clock } = await platform([
      { provider: 'sendgrid', operation: 'webhook', contains: 'late', times: 1, late_ms: 10_000 },
      { provider: 'sendgrid', operation: 'webhook', contains: 'twice', times: 1, duplicate: 1 },
      { provider: 'sendgrid', operation: 'webhook', contains: 'wrong', times: 1, signature: 'wrong' },
      { provider: 'sendgrid', operation: 'webhook', companies: ['acme'], contains: 'never', drop: true },
    ])
    send('late')
    await idle()
    send('twice')
    await idle()
    send('never')
    await idle()
    send('wrong')
    await idle()
    expect(got).toEqual([well('twice'), well('twice'), `${url} ${realNow}:5:wrong wrong 200`])
    await clock.turnTo(start + 10_000)
    await idle()
    expect(got.at(-1)).toBe(well('late'))
    expect(got).toHaveLength(4)
  })
})
