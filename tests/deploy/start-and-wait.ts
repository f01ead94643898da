/** Run by a test as a process of its own: starts the server of a directory, says where, and waits to be killed. */

import { startEmbeddedPostgres } from '../../deploy/local/embedded-postgres.ts'

const server = await startEmbeddedPostgres({
  directory: process.argv[2] ?? '',
  durable: false,
  notice: () => undefined,
})
process.stdout.write(`${server.url} ${server.pid}\n`)
setInterval(() => undefined, 1_000)
