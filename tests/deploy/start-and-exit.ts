/** Run by a test as a process of its own: starts a server program, says its id, and exits without ending it. */

import { freePort } from '../../deploy/local/free-port.ts'
import { ServerProgram } from '../../deploy/local/server-program.ts'

const server = await ServerProgram.start({
  name: 'Shell',
  directory: process.argv[2] ?? '',
  program: 'bash',
  words: ['-c', 'while :; do sleep 0.05; done'],
  port: await freePort(),
  isReady: () => Promise.resolve(true),
  readyWithinMs: 5_000,
  endWithinMs: 5_000,
})
process.stdout.write(`${server.pid}\n`, () => process.exit(0))
