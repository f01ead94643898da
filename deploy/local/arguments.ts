/** The command line of `npm run local`. */

import { join } from 'node:path'
import { parseArgs } from 'node:util'

export const serverNames = ['kafka', 'registry', 'redis', 'postgres', 's3'] as const
export type ServerName = (typeof serverNames)[number]

export interface AskedServer {
  readonly name: ServerName
  /** Of the first node, where it has several. */
  readonly port: number
  readonly directory: string
  readonly nodes: number
}

const ports: Readonly<Record<ServerName, number>> = {
  kafka: 9092,
  registry: 8081,
  redis: 6379,
  postgres: 5432,
  s3: 9000,
}
const nodesAtMost = 5

export const usage = [
  'npm run local -- <server> [options] [<server> [options] …]',
  `  kafka               Apache Kafka, port ${ports.kafka}`,
  `  registry            a schema registry with Confluent's API, port ${ports.registry}`,
  `  redis               Redis, port ${ports.redis}`,
  `  postgres            PostgreSQL, port ${ports.postgres}`,
  `  s3                  S3 in memory, port ${ports.s3}`,
  'Options are those of the server before them:',
  '  --port n            another port; a Kafka of several nodes takes those that follow too',
  '  --directory d       where its data stays (.data/local/<server>); to start over, delete it',
  `  --nodes n           kafka: a cluster of so many, at most ${nodesAtMost} (1)`,
  'npm run local -- kafka-ui-compose    all of them in containers, with a Kafka UI: deploy/compose/README.md',
].join('\n')

type Option = 'port' | 'directory' | 'nodes'
type Asked = { readonly name: ServerName } & { [K in Option]?: string }

/** @returns the servers in the order they were asked for, or one line that says what is wrong */
export function readLocalArguments(argv: readonly string[]): readonly AskedServer[] | string {
  const asked = servers(argv)
  if (typeof asked === 'string') return asked
  const read: AskedServer[] = []
  for (const one of asked) {
    const server = valuesOf(one)
    if (typeof server === 'string') return server
    const twin = read.find((other) => overlap(other, server))
    if (twin !== undefined) return `--port: ${twin.name} and ${server.name} would share one; give one of them another`
    read.push(server)
  }
  return read
}

function servers(argv: readonly string[]): readonly Asked[] | string {
  const asked: Asked[] = []
  for (const token of tokensOf(argv)) {
    if (token.kind === 'positional') {
      const name = serverNames.find((known) => known === token.value)
      if (name === undefined) return `${token.value}: is not a server; wanted ${serverNames.join(', ')}`
      if (asked.some((one) => one.name === name)) return `${name}: is named twice; wanted once`
      asked.push({ name })
    } else if (token.kind === 'option') {
      const server = asked.at(-1)
      if (!isOption(token.name)) return `${token.rawName}: is not an option; wanted --port, --directory or --nodes`
      if (server === undefined) return `--${token.name}: comes before any server; wanted after the one it is for`
      if (server[token.name] !== undefined) return `--${token.name}: is given twice for ${server.name}; wanted once`
      if (token.value === undefined || token.value === '') return `--${token.name}: wanted a value after it`
      server[token.name] = token.value
    }
  }
  return asked.length === 0 ? `wanted a server: ${serverNames.join(', ')}` : asked
}

const text = { type: 'string' } as const

function tokensOf(argv: readonly string[]) {
  const options = { port: text, directory: text, nodes: text }
  return parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

const isOption = (name: string): name is Option => ['port', 'directory', 'nodes'].includes(name)

function valuesOf({ name, port, directory, nodes }: Asked): AskedServer | string {
  if (nodes !== undefined && name !== 'kafka') return `--nodes: is given for ${name}; only kafka can have several`
  const count = wholeIn(nodes ?? '1', 1, nodesAtMost)
  if (count === null) return `--nodes: ${nodes} is given; wanted a whole number from 1 to ${nodesAtMost}`
  const first = wholeIn(port ?? String(ports[name]), 1, 65_536 - count)
  if (first === null) return `--port: ${port} is given; wanted a whole number from 1 to ${65_536 - count}`
  return { name, port: first, nodes: count, directory: directory ?? join('.data', 'local', name) }
}

function wholeIn(given: string, min: number, max: number): number | null {
  const number = Number(given)
  return /^\d{1,5}$/.test(given) && number >= min && number <= max ? number : null
}

const overlap = (a: AskedServer, b: AskedServer): boolean => a.port < b.port + b.nodes && b.port < a.port + a.nodes
