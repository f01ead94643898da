/** Puts random bytes under a key until it is killed: `put-for-ever.ts <root> <key>`. A line of JSON for each put that was answered. */

import { randomBytes, randomInt } from 'node:crypto'
import process from 'node:process'
import { diskStore } from '../../../connectors/storage/index.ts'

const [root = '', key = ''] = process.argv.slice(2)
const store = diskStore({ root, bucket: 'objects', clock: { now: () => Date.now() } })
for (;;) {
  const { version_id, sha256 } = await store.put(key, randomBytes(randomInt(1, 200_000)), { contentType: 'text/plain' })
  process.stdout.write(`${JSON.stringify({ version_id, sha256 })}\n`)
}
