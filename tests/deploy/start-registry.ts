/** Run by a test as a process of its own: starts the registry of a directory, says where, and waits to be killed. */

import { startRegistry } from '../../deploy/local/registry.ts'

const { url, pid } = await startRegistry({ directory: process.argv[2] ?? '' })
process.stdout.write(`${JSON.stringify({ url, pid })}\n`)
setInterval(() => undefined, 1_000)
