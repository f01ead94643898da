/** What an operator says over the admin socket about our own people; the first agent comes to exist this way. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { agentCommands } from '../../deploy/agent-commands.ts'
import type { Client, World } from '../api/agents/world.ts'
import { openWorld } from '../api/agents/world.ts'

let world: World
let a: Client
let b: Client
beforeAll(async () => {
  world = await openWorld()
  a = await world.client('ada@a.example')
  b = await world.client('bob@b.example')
})
afterAll(() => world[Symbol.asyncDispose]())

async function run(command: string, ...args: string[]): Promise<string[]> {
  const lines: string[] = []
  await agentCommands(world.staff)[command]!(args, (line) => void lines.push(line))
  return lines
}

test('the first agent and a supervisor are created, assigned, listed, and one is dismissed', async () => {
  expect(await run('agent list')).toEqual(['no agents'])
  const made = await run('agent create', 'Grace@House.example', 'Grace', 'Hill', 'North')
  expect(made[0]).toMatch(/^grace@house\.example is agent [0-9a-f-]{36} of team [0-9a-f-]{36}$/)
  const secret = /^password, shown this once: (\S{43})$/.exec(made[1] ?? '')?.[1]
  expect((await world.login('grace@house.example', secret)).status).toBe(200)
  await run('agent create', 'chief@house.example', 'Chief', 'Hill', 'North', 'supervisor')
  expect(await run('agent assign', 'grace@house.example', a.organizationId)).toEqual([
    `grace@house.example looks after ${a.organizationId} as owner`,
  ])
  expect(await run('agent assign', 'grace@house.example', a.organizationId)).toEqual(['it is so already'])
  await run('agent assign', 'chief@house.example', b.organizationId, 'observer')
  expect((await run('agent list')).map((line) => line.replace(/[0-9a-f-]{36}/, 'id')).sort()).toEqual([
    'chief@house.example id supervisor of North, 1 clients',
    'grace@house.example id agent of North, 1 clients',
  ])
  expect(await run('agent dismiss', 'grace@house.example')).toEqual(['grace@house.example cannot log in any more'])
  expect((await world.login('grace@house.example', secret)).status).toBe(401)
  const told = (await world.identity.events()).filter(({ event_type }) => event_type === 'agent_added')
  expect(told.map(({ actor }) => actor)).toEqual([
    { type: 'system', id: 'operator' },
    { type: 'system', id: 'operator' },
  ])
})

test.each([
  [['agent create', 'no address', 'A', 'B', 'North'], 'The e-mail address is not valid.'],
  [['agent create', 'x@house.example', '', 'B', 'North'], 'first_name: '],
  [['agent create', 'x@house.example', 'A', 'B', ' '], 'team: 1 to 100 characters'],
  [['agent create', 'x@house.example', 'A', 'B', 'North', 'boss'], 'role: '],
  [['agent create', 'ada@a.example', 'A', 'B', 'North'], 'Somebody has this address already.'],
  [['agent assign', 'nobody@house.example', 'x'], 'no agent has the address nobody@house.example'],
  [['agent assign', 'chief@house.example', 'x'], 'There is no such client.'],
  [['agent assign', 'chief@house.example', 'x', 'boss'], 'role boss: it is one of owner, support, observer'],
])('%j is refused in one line', async ([command, ...args], says) => {
  const error = await run(command!, ...args).catch((thrown: unknown) => (thrown as Error).message)
  expect(error).toContain(says)
  expect(error).not.toContain('\n')
})
