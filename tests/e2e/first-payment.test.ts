/**
 * From sign-up to the first payment in one process, in warped business time: nobody decides anything, and each company ends
 * where the script of its people says.
 */

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freePort, startInstance } from '../../deploy/chaos/instance.ts'
import { askAdmin } from '../../deploy/admin-socket.ts'
import { acquire } from '../../examples/acquire/acquisition.ts'
import type { Admin } from '../../examples/acquire/admin.ts'
import { applicants } from '../../examples/acquire/applicants.ts'
import { openHouse } from '../../examples/acquire/house.ts'
import { client } from '../../examples/acquire/http.ts'
import { followAll, holdClock, releaseClock } from '../../examples/acquire/lifecycle.ts'
import { companies } from '../../examples/companies.ts'

const adminIn =
  (dataDir: string): Admin =>
  async (...[noun, verb, ...args]) => {
    const lines: string[] = []
    await askAdmin(dataDir, { command: `${noun} ${verb}`, args }, (line) => lines.push(line))
    return lines
  }

const password = 'first payment: one password'

test(
  'one company pays, one declines its contract, one never looks (4.5.1, 5.3.8, 5.3.9)',
  { timeout: 300_000 },
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'first-payment-'))
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const settings = { CLOCK: 'warp', PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: 'error' }
    const instance = startInstance({ url, settings, logFile: join(dataDir, 'output.txt') })
    onTestFinished(async () => {
      await instance.stop()
      rmSync(dataDir, { recursive: true, force: true })
    })
    expect(await instance.ready()).toBe(true)

    const deadlineAt = Date.now() + 240_000
    const ask = client({ url, deadlineAt })
    const [pays, declines, ignores] = applicants(companies, 1, 3, 0)
    const script = [
      {
        provider: 'docusign',
        operation: 'create_envelope',
        companies: [declines!.domain],
        contains: 'Contract for',
        answer: 'declines',
      },
      { provider: 'sendgrid', operation: 'visit', companies: [ignores!.domain], answer: 'ignores' },
    ]
    await holdClock(ask)
    expect((await ask({ method: 'PUT', path: '/sandbox/script', json: script })).status).toBe(200)
    const list = [pays!, declines!, ignores!]
    const acquired = await Promise.all(
      list.map((one) => acquire(one, { client: ask, password, deadlineAt, pollMs: 100 })),
    )
    await using house = await openHouse({ client: ask, admin: adminIn(dataDir) })
    await house.lookAfter(acquired)
    await releaseClock(ask)
    const { agent } = house
    const followed = await followAll(acquired, { client: ask, password, agent, deadlineAt, ended: () => undefined })
    const endOf = ({ domain }: (typeof list)[number]) =>
      followed.find(({ applicant }) => applicant.domain === domain)?.end
    expect([pays!, declines!, ignores!].map(endOf)).toEqual(['paid', 'contract_declined', 'no_engagement'])

    const { token, organizationId } = acquired.find(({ applicant }) => applicant.domain === pays!.domain)!
    const shown = async <T>(path: string): Promise<T> => (await ask({ path: `/api/v1${path}`, token })).body as T
    const { items } = await shown<{ items: readonly { document_id: string; document_type: string }[] }>('/documents')
    const signed = items.filter(({ document_type }) => document_type !== 'pricing')
    expect(signed.map(({ document_type }) => document_type).sort()).toEqual(['contract', 'nda', 'proposal'])
    for (const { document_id } of signed) {
      const path = `/api/v1/documents/${document_id}/download?kind=signed`
      const file = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })
      const sha256 = createHash('sha256').update(Buffer.from(await file.arrayBuffer()))
      const { versions } = await shown<{ versions: readonly { signed_sha256: string }[] }>(`/documents/${document_id}`)
      expect(versions[0]?.signed_sha256).toBe(sha256.digest('hex'))
    }
    // The mail service has told what became of what was sent.
    const told = await shown<{ items: readonly { summary: { status: string } }[] }>(
      `/organizations/${organizationId}/timeline?event_type=delivery_updated`,
    )
    expect(new Set(told.items.map(({ summary }) => summary.status))).toEqual(new Set(['delivered']))
  },
)
