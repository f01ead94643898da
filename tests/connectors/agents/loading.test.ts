/** LangGraph takes about half a second and a hundred mebibytes: a process that hosts no conversation does not pay for it. */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

const loads = (file: string): string[] => {
  const url = pathToFileURL(join(import.meta.dirname, '../../../connectors/agents', file)).href
  const script = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ resolve: (name, context, next) => (seen.push(name), next(name, context)) })
    await import(${JSON.stringify(url)})
    console.log(JSON.stringify(seen.filter((name) => name.startsWith('@langchain/'))))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as string[]
}

test('the door loads no graph; what answers a message does', () => {
  expect(loads('index.ts')).toEqual([])
  expect(loads('demo-chat-graph.ts')).toContain('@langchain/langgraph')
})
