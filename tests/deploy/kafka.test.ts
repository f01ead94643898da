/** The Kafka that we start ourselves: what is kept of it, and what is left of a start that fails. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../deploy/local/free-port.ts'
import type { KafkaOptions } from '../../deploy/local/kafka.ts'
import { kafkaJars, newClusterId, startKafka } from '../../deploy/local/kafka.ts'
import { whyNoKafka } from '../conformance/record.ts'

const lacks = await whyNoKafka()

test('the id of a cluster never begins with a dash, which Kafka’s tools would take for an option', () => {
  for (let first = 0; first < 256; first++) {
    const id = newClusterId(Uint8Array.from({ length: 16 }, (_, index) => (index === 0 ? first : 0xff)))
    expect(id).toMatch(/^[A-Za-z0-9][\w-]{21}$/)
  }
  expect(newClusterId()).not.toBe(newClusterId())
})

async function take(port: number): Promise<Server> {
  const taker = createServer()
  await new Promise<void>((done, failed) => void taker.once('error', failed).listen(port, '127.0.0.1', done))
  return taker
}

describe.skipIf(lacks !== null)(`kafka on this machine${lacks === null ? '' : ` (skipped: ${lacks})`}`, () => {
  let scratch: string
  let jars: string
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kafka-'))
    jars = await kafkaJars()
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  test('is kept: the same cluster, also when the port of its controller is taken meanwhile', async () => {
    const options: KafkaOptions = { directory: join(scratch, 'kept'), jars, keep: true, port: await freePort() }
    await (await startKafka(options)).stop()
    const clusterOf = async (): Promise<{ clusterId: string; controllerPorts: number[] }> =>
      JSON.parse(await readFile(join(scratch, 'kept', 'cluster.json'), 'utf8')) as never
    const before = await clusterOf()
    const taker = await take(before.controllerPorts[0] ?? 0)
    try {
      const again = await startKafka(options)
      expect(again.bootstrap).toBe(`127.0.0.1:${options.port}`)
      await again.stop()
      const after = await clusterOf()
      expect(after.clusterId).toBe(before.clusterId)
      expect(after.controllerPorts).not.toEqual(before.controllerPorts)
    } finally {
      await new Promise((done) => taker.close(done))
    }
  }, 300_000)

  test('one node of a cluster that cannot start: the others are ended, and it is one line', async () => {
    const directory = join(scratch, 'three')
    const taker = await take(0)
    try {
      const address = taker.address()
      const taken = address !== null && typeof address === 'object' ? address.port : 0
      const starting = startKafka({ directory, jars, nodes: 3, port: taken - 2 })
      await expect(starting).rejects.toThrow(`Kafka: port ${taken} is taken`)
      for (const node of ['1', '2', '3']) expect(await readdir(join(directory, node))).not.toContain('server.pid')
    } finally {
      await new Promise((done) => taker.close(done))
    }
  }, 300_000)
})
