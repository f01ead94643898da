/**
 * A schema registry with Confluent's API (Apicurio Registry), for a laptop and for tests: its schemas are kept in its
 * directory. It listens on loopback only. Its archive comes through Maven once, into a cache directory.
 */

import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { freePort } from './free-port.ts'
import { javaLacks, mavenLacks } from './java.ts'
import type { MavenFiles } from './maven.ts'
import { isFetched, mavenFiles } from './maven.ts'
import type { Waiting } from './server-program.ts'
import { ServerProgram } from './server-program.ts'

const archive: MavenFiles = {
  what: 'Apicurio Registry (109 MB)',
  pom: join(import.meta.dirname, 'registry-pom.xml'),
  property: 'registry.version',
  goal: ['dependency:unpack', '-DoutputDirectory={output}'],
  cache: join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'registry'),
  name: 'apicurio',
}

export interface RegistryOptions extends Waiting {
  /** Made when it is missing; schemas that an earlier one kept there are there again. */
  readonly directory: string
  /** A free one unless told. */
  readonly port?: number
}

export interface Registry {
  /** Of Confluent's API, without a slash at its end. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** One line that says what this machine lacks to run the registry, or null. */
export async function registryLacks(): Promise<string | null> {
  const java = await javaLacks('the schema registry')
  if (java !== null || (await isFetched(archive))) return java
  return mavenLacks('the schema registry')
}

/** The directory with the unpacked archive, fetched when it is not there yet. @throws Error with one line */
export const registryFiles = (waiting: Waiting = {}): Promise<string> => mavenFiles(archive, waiting)

/** Resolves when it answers; the first time it is fetched, which takes a while. @throws Error with one line */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const files = await registryFiles(options)
  const directory = resolve(options.directory)
  await mkdir(directory, { recursive: true })
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const server = await ServerProgram.start({
    ...options,
    name: 'registry',
    directory,
    program: 'java',
    words: [...settingsOf(directory, port), '-jar', await jarIn(files)],
    port,
    isReady: () => answers(url),
    readyWithinMs: 180_000,
    endWithinMs: 10_000,
  })
  return { url, port, pid: server.pid, ended: server.ended, stop: () => server.stop() }
}

async function jarIn(files: string): Promise<string> {
  const jar = (await readdir(files)).find((name) => name.endsWith('-runner.jar'))
  if (jar === undefined) throw new Error(`${files} has no registry in it: remove that directory, then try again`)
  return join(files, jar)
}

function settingsOf(directory: string, port: number): string[] {
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': String(port),
    'quarkus.banner.enabled': 'false',
    // A line for every request would fill the disk of a registry that is left running.
    'quarkus.http.access-log.enabled': 'false',
    'apicurio.datasource.url': `jdbc:h2:file:${join(directory, 'data', 'registry')}`,
    // Twenty connections is a server's measure.
    'apicurio.datasource.jdbc.initial-size': '2',
    'apicurio.datasource.jdbc.min-size': '2',
    'apicurio.datasource.jdbc.max-size': '20',
  }
  return ['-Xmx512m', ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)]
}

async function answers(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(5_000) })
  await answer.arrayBuffer()
  return answer.ok
}
