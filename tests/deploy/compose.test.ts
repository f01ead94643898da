/** deploy/compose, read as Docker reads it; what it tells the servers is tried on the servers themselves. */

import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readConfig } from '../../deploy/config.ts'
import { variables } from '../../deploy/configuration/variables.ts'
import { readLocalArguments, serverNames } from '../../deploy/local/arguments.ts'
import { freePort } from '../../deploy/local/free-port.ts'
import { kafkaJars, kafkaVersion } from '../../deploy/local/kafka.ts'
import { versionIn } from '../../deploy/local/maven.ts'
import { registryFiles } from '../../deploy/local/registry.ts'
import { ServerProgram } from '../../deploy/local/server-program.ts'
import { whyNoKafka } from '../conformance/record.ts'
import { npmCommand } from './npm-command.ts'
import { whyNoRegistry } from './why-no-registry.ts'

const run = promisify(execFile)
const folder = join(import.meta.dirname, '..', '..', 'deploy')
const textOf = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8')
const readme = textOf('compose', 'README.md')

/** What of a compose file we use; anything else is a slip. */
const service = z.strictObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).default({}),
  volumes: z.array(z.string().regex(/^[a-z]+:\/[\w/]+$/)).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).default({}),
  healthcheck: z.strictObject({
    test: z.tuple([z.literal('CMD')], z.string()),
    interval: z.string().regex(/^\d+s$/),
    timeout: z.string().regex(/^\d+s$/),
    retries: z.number().int().min(3),
    start_period: z
      .string()
      .regex(/^\d+s$/)
      .optional(),
  }),
})
const composeFile = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
})
const compose = composeFile.parse(parse(textOf('compose', 'compose.yaml')))
const services = new Map(Object.entries(compose.services))

const named = (name: string): z.infer<typeof service> => {
  const found = services.get(name)
  if (found === undefined) throw new Error(`there is no service ${name}`)
  return found
}
const portsOf = (name: string): { host: number; container: number } => {
  const [, host, container] = (named(name).ports[0] ?? '').split(':').map(Number)
  return { host: host ?? 0, container: container ?? 0 }
}
/** `HOST://:9092` by the name of the listener. */
const listeners = (text = ''): Record<string, string> =>
  Object.fromEntries(text.split(',').map((one) => one.split('://') as [string, string]))

describe('the compose file', () => {
  test('has the servers that npm run local has, and a Kafka UI', () => {
    expect([...services.keys()].toSorted()).toEqual([...serverNames, 'kafka-ui'].toSorted())
  })

  test.each([...services])('%s: its image is one release, and no registry’s host is named', (_, { image }) => {
    expect(image).toMatch(/^[a-z][a-z0-9-]*(\/[a-z0-9-]+)?:v?\d+\.\d+\.\d+(-(alpine|pg\d+))?$/)
  })

  test('Kafka and the registry are the releases that run without containers', async () => {
    expect(named('kafka').image).toBe(`apache/kafka:${await kafkaVersion()}`)
    const version = await versionIn(join(folder, 'local', 'registry-pom.xml'), 'registry.version')
    expect(named('registry').image).toBe(`apicurio/apicurio-registry:${version}`)
  })

  test('who waits for another waits for one that is there', () => {
    for (const { depends_on } of services.values())
      for (const name of Object.keys(depends_on)) expect(services.has(name)).toBe(true)
    expect(Object.keys(named('kafka-ui').depends_on)).toEqual(['kafka', 'registry'])
    expect(Object.keys(named('registry').depends_on)).toEqual(['kafka'])
  })

  test('ports are those of npm run local, none twice, and none the product’s own', () => {
    const asked = readLocalArguments(serverNames)
    if (typeof asked === 'string') throw new Error(asked)
    for (const { name, port } of asked) expect([name, portsOf(name).host]).toEqual([name, port])
    const all = [...services.keys()].map((name) => portsOf(name).host)
    expect(new Set([...all, Number(variables.PORT.fallback)]).size).toBe(all.length + 1)
  })

  test('data that must outlive a container is in a volume', () => {
    const used = [...services.values()].flatMap(({ volumes }) => volumes.map((volume) => volume.split(':')[0]))
    expect(used.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
    const [, place] = (named('kafka').volumes[0] ?? '').split(':')
    expect(named('kafka').environment['KAFKA_LOG_DIRS']).toBe(place)
  })

  test('Kafka is advertised to this machine at the open port, and to containers by its name', () => {
    const { environment } = named('kafka')
    const [listening, advertised] = [listeners(environment['KAFKA_LISTENERS']), listeners(environment['KAFKA_ADVERTISED_LISTENERS'])] // prettier-ignore
    const { host, container } = portsOf('kafka')
    expect(listening['HOST']).toBe(`:${container}`)
    expect(advertised['HOST']).toBe(`127.0.0.1:${host}`)
    expect(advertised['CONTAINERS']).toBe(`kafka${listening['CONTAINERS'] ?? ''}`)
    expect(Object.keys(advertised)).not.toContain('CONTROLLER')
    const atKafka = advertised['CONTAINERS']
    expect(named('registry').environment['APICURIO_KAFKASQL_BOOTSTRAP_SERVERS']).toBe(atKafka)
    expect(named('kafka-ui').environment['KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS']).toBe(atKafka)
    expect(named('kafka').healthcheck.test.at(-1)).toBe(atKafka)
  })

  test('Kafka UI and the health checks ask where the servers listen', () => {
    const registry = `http://registry:${portsOf('registry').container}/apis/ccompat/v7`
    expect(named('kafka-ui').environment['KAFKA_CLUSTERS_0_SCHEMAREGISTRY']).toBe(registry)
    for (const name of ['registry', 'kafka-ui'])
      expect(new URL(named(name).healthcheck.test.at(-1) ?? '').port).toBe(String(portsOf(name).container))
    const { POSTGRES_USER, POSTGRES_DB } = named('postgres').environment
    expect(named('postgres').healthcheck.test).toContain(`--username=${POSTGRES_USER}`)
    expect(named('postgres').healthcheck.test).toContain(`--dbname=${POSTGRES_DB}`)
  })
})

describe('its README', () => {
  test('names every image, and both addresses of each', () => {
    for (const [name, { image }] of services) {
      const row = readme.split('\n').find((line) => line.includes(`\`${image}\``)) ?? ''
      const { host, container } = portsOf(name)
      expect(row).toContain(`127.0.0.1:${host}`)
      expect(row).toContain(`${name}:${name === 'kafka' ? 19092 : container}`)
    }
  })

  test('its commands set variables of the product that the product accepts, and that fit the file', () => {
    const commands = readme.replaceAll('\\\n', ' ').split('\n').filter((line) => line.endsWith('npm start')) // prettier-ignore
    expect(commands).toHaveLength(2)
    const secrets = (/for name in ([A-Z_ ]+);/.exec(readme)?.[1] ?? '').split(' ')
    const made = secrets.map((name, index) => [name, String(index).repeat(64)])
    for (const command of commands) {
      const given = [...command.matchAll(/\b([A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value])
      const all = given.concat(command.includes('$(cat ') ? made : []) as [string, string][]
      expect(all.filter(([name]) => !Object.hasOwn(variables, name))).toEqual([])
      const result = readConfig(Object.fromEntries(all))
      if ('errors' in result) throw new Error(result.errors.join('\n'))
      expect(result.config.kafka?.bootstrap).toEqual([`127.0.0.1:${portsOf('kafka').host}`])
      expect(result.config.registry?.url).toBe(`http://127.0.0.1:${portsOf('registry').host}/apis/ccompat/v7`)
      if (result.config.database.url === null) continue
      const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = named('postgres').environment
      const address = `127.0.0.1:${portsOf('postgres').host}`
      expect(result.config.database.url).toBe(`postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@${address}/${POSTGRES_DB}`) // prettier-ignore
    }
  })
})

const lacks = (await whyNoKafka()) ?? (await whyNoRegistry())

/** As the image does it: `KAFKA_LOG_DIRS` becomes `log.dirs`. */
const propertyOf = (name: string): string =>
  name
    .replace(/^KAFKA_/, '')
    .toLowerCase()
    .replaceAll('_', '.')

describe.skipIf(lacks !== null)(`what the containers are told${lacks === null ? '' : ` (skipped: ${lacks})`}`, () => {
  let scratch: string
  const started: ServerProgram[] = []
  beforeAll(async () => void (scratch = await mkdtemp(join(tmpdir(), 'compose-'))))
  afterAll(async () => {
    for (const server of started.reverse()) await server.stop()
    await rm(scratch, { recursive: true, force: true })
  }, 60_000)

  test('starts this Kafka, and this registry on it', async () => {
    const [host, containers, controller] = [await freePort(), await freePort(), await freePort()]
    const moved = (text: string): string =>
      text
        .replaceAll('9093', String(controller))
        .replaceAll('19092', String(containers))
        .replaceAll(/\b9092/g, String(host))
        .replaceAll('kafka:', '127.0.0.1:')
        .replaceAll('://:', '://127.0.0.1:')
        .replace('1@kafka', '1@127.0.0.1')
    const { CLUSTER_ID = '', ...settings } = named('kafka').environment
    const lines = Object.entries({ ...settings, KAFKA_LOG_DIRS: join(scratch, 'data') })
    const file = join(scratch, 'server.properties')
    await writeFile(file, lines.map(([name, value]) => `${propertyOf(name)}=${moved(value)}\n`).join(''))
    const jars = join(await kafkaJars(), '*')
    await run('java', ['-cp', jars, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file])
    const bounds = { readyWithinMs: 180_000, endWithinMs: 10_000 }
    started.push(
      await ServerProgram.start({
        ...{ name: 'Kafka', directory: scratch, program: 'java', port: host, ...bounds },
        words: ['-Xmx512m', '-cp', jars, 'kafka.Kafka', file],
        isReady: async () =>
          (await tool(jars, 'BrokerApiVersionsCommand', `127.0.0.1:${host}`)).includes('ApiVersions'),
      }),
    )
    // Who comes from a container is sent on to the containers' address, who comes from this machine to its own.
    for (const port of [host, containers])
      expect(await tool(jars, 'BrokerApiVersionsCommand', `127.0.0.1:${port}`)).toContain(`127.0.0.1:${port} (id: 1`)

    const registry = await freePort()
    const told = Object.entries(named('registry').environment).map(
      ([name, value]) => `-D${name.toLowerCase().replaceAll('_', '.')}=${moved(value)}`,
    )
    const directory = join(scratch, 'registry')
    await mkdir(directory)
    const http = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${registry}`]
    const jar = join(await registryFiles(), `apicurio-registry-app-${named('registry').image.split(':')[1]}-runner.jar`)
    const path = new URL(named('registry').healthcheck.test.at(-1) ?? '').pathname
    started.push(
      await ServerProgram.start({
        ...{ name: 'registry', directory, program: 'java', port: registry, ...bounds },
        words: ['-Xmx512m', ...http, ...told, '-jar', jar],
        isReady: async () => (await fetch(`http://127.0.0.1:${registry}${path}`)).ok,
      }),
    )
    expect(await tool(jars, 'TopicCommand', `127.0.0.1:${host}`, '--list')).toContain('kafkasql-journal')
  }, 400_000)
})

async function tool(jars: string, name: string, address: string, ...words: string[]): Promise<string> {
  const command = [
    '-XX:TieredStopAtLevel=1',
    '-cp',
    jars,
    `org.apache.kafka.tools.${name}`,
    '--bootstrap-server',
    address,
  ]
  return (await run('java', [...command, ...words], { timeout: 60_000 })).stdout
}

describe('npm run local -- kafka-ui-compose', () => {
  let scratch: string
  beforeAll(async () => void (scratch = await mkdtemp(join(tmpdir(), 'docker-'))))
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  /** A docker that answers as `cases` say, and writes down what it was asked. */
  async function docker(cases: string): Promise<Record<string, string>> {
    const bin = await mkdtemp(join(scratch, 'bin-'))
    await writeFile(join(bin, 'docker'), `#!/bin/sh\necho "$@" >> ${bin}/calls\ncase "$*" in ${cases} esac\n`)
    await chmod(join(bin, 'docker'), 0o755)
    return { PATH: `${bin}:/usr/bin:/bin`, calls: join(bin, 'calls') }
  }

  const instead = 'or start what you need without containers: npm run local -- kafka registry redis postgres\n'

  test.each([
    ['*) exit 127;;', `docker is not installed: install Docker with its compose plugin, ${instead}`],
    ['info) exit 1;;', `no Docker engine answers: start Docker, ${instead}`],
    ['"compose version") exit 1;;', `docker has no compose plugin: install it, ${instead}`],
  ])('with a docker that says %s: one line with the cure', async (cases, line) => {
    const { PATH = '' } = await docker(cases)
    const command = npmCommand('local', ['kafka-ui-compose'], { PATH })
    expect([await command.ended, command.printed(), command.said()]).toEqual([78, '', line])
  })

  test('where an engine answers, the file is brought up, and Ctrl-C reaches it', async () => {
    const { PATH = '', calls = '' } = await docker(
      `*up) trap 'echo downed; exit 130' INT; echo upped; while :; do sleep 0.05; done;;`,
    )
    const command = npmCommand('local', ['kafka-ui-compose'], { PATH })
    await command.until('upped')
    expect(await command.end('SIGINT')).toBe(0)
    expect(command.printed()).toBe('upped\ndowned\n')
    const asked = (await readFile(calls, 'utf8')).trim().split('\n')
    expect(asked).toEqual(['--version', 'info', 'compose version', 'compose -f deploy/compose/compose.yaml up'])
  })
})
