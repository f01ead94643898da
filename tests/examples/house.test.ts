/** The seller's side of the example: its agent, and who decides what. Two companies, each with reviews of its own. */

import { expect, test } from 'vitest'
import type { Acquired } from '../../examples/acquire/acquisition.ts'
import { applicants } from '../../examples/acquire/applicants.ts'
import type { Call, Client } from '../../examples/acquire/http.ts'
import { openHouse } from '../../examples/acquire/house.ts'
import { decideAll, Person } from '../../examples/acquire/lifecycle.ts'
import { companies } from '../../examples/companies.ts'

const answer = (status: number, body: unknown = {}) => ({ status, headers: new Headers(), body })

const acquired: readonly Acquired[] = applicants(companies, 1, 2, 0).map((applicant, n) => ({
  ...{ applicant, organizationId: `o${n}`, token: `client ${n}`, status: 'completed', visibleMs: 1 },
  ...{ competitors: 3, hasCompanyInfo: true },
}))

/** Knows one agent, by password `p` and then token `agent`; each company waits for two decisions. */
function server(refused: Readonly<Record<string, number>> = {}): { readonly calls: Call[]; readonly client: Client } {
  const calls: Call[] = []
  const client: Client = async (call) => {
    calls.push(call)
    const path = call.path.split('?')[0] ?? ''
    const status = Object.entries(refused).find(([name]) => path.endsWith(name))?.[1]
    if (status !== undefined) return answer(status)
    if (path.endsWith('/login'))
      return (call.json as { password: string }).password === 'p' ? answer(200, { access_token: 'agent' }) : answer(401)
    if (path.endsWith('/profile')) return answer(200, { user_id: 'h1' })
    if (path.endsWith('/assignments')) return answer(200)
    if (!path.endsWith('/reviews')) return answer(202)
    const n = call.token?.split(' ')[1] ?? ''
    return answer(200, {
      items: [
        { review_id: `finding-${n}`, decider: 'client' },
        { review_id: `price-${n}`, decider: 'seller' },
      ],
    })
  }
  return { calls, client }
}

const said: string[][] = []
const admin = async (...words: string[]): Promise<readonly string[]> => {
  said.push(words)
  return ['x@house.example is supervisor h1 of team t1', 'password, shown this once: p']
}

test('our agent looks after every company, decides what is ours, and is gone in the end', async () => {
  said.length = 0
  const { calls, client } = server()
  {
    await using house = await openHouse({ client, admin })
    await house.lookAfter(acquired)
    const assigned = calls.filter(({ path }) => path.endsWith('/assignments'))
    expect(assigned.map(({ json, token }) => [token, json])).toEqual(
      acquired.map(({ organizationId }) => [
        'agent',
        { organization_id: organizationId, user_id: 'h1', role: 'owner' },
      ]),
    )
    for (const one of acquired) {
      const person = new Person(one, { client, password: 'q' })
      expect(await decideAll(person, house.agent, one.organizationId)).toBe(2)
    }
  }
  const decided = calls.filter(({ path }) => path.endsWith('/decision'))
  expect(decided.map(({ path, token }) => `${path.split('/')[4]} by ${token}`)).toEqual([
    'finding-0 by client 0',
    'price-0 by agent',
    'finding-1 by client 1',
    'price-1 by agent',
  ])
  expect(said.map(([noun, verb]) => `${noun} ${verb}`)).toEqual(['agent create', 'agent dismiss'])
  expect(said[1]?.[2]).toBe(said[0]?.[2])
})

test('two runs have an agent each', async () => {
  said.length = 0
  for (let run = 0; run < 2; run++) {
    await using house = await openHouse({ client: server().client, admin })
    expect(house.agent).toBeInstanceOf(Person)
  }
  expect(new Set(said.map(([, , email]) => email)).size).toBe(2)
})

test('without the instance’s directory, or with that of another, one line says what to do', async () => {
  const nobody = () => Promise.reject(new Error('nothing runs on /x'))
  const remedy = /: name the directory of the instance, as in DATA_DIR=… npm run example:acquire -- --until paid$/
  const lines = [
    openHouse({ client: server().client, admin: nobody }),
    openHouse({ client: server({ '/login': 401 }).client, admin }),
  ].map((opening) => opening.then(String, (error: unknown) => (error as Error).message))
  for (const line of await Promise.all(lines)) {
    expect(line).toMatch(remedy)
    expect(line).not.toContain('\n')
  }
  expect(await lines[0]).toContain('nothing runs on /x')
})

test('a company that another team has is named', async () => {
  const { client } = server({ '/assignments': 404 })
  await using house = await openHouse({ client, admin })
  await expect(house.lookAfter(acquired)).rejects.toThrow(`${acquired[0]!.applicant.domain}: agents of another team`)
})
