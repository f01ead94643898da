/**
 * A producer in TypeScript over HTTP: for whoever has an API key. Run it against `npm start`, as often as you like: the event
 * has a number of its own, so it is written once.
 *
 *   node examples/producers/http.ts --url http://127.0.0.1:8080 --key lck_… [--contact u1] [--sequence 1]
 *
 * Outside of this repository the import is `lifecycle/client`.
 */

import { parseArgs } from 'node:util'
import { httpTransport, openClient } from '../../client/index.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { url: text, key: text, contact: text, sequence: text } })
const { url = 'http://127.0.0.1:8080', key = '', contact = 'u1', sequence = '1' } = values

await using client = await openClient({
  name: 'example-http',
  transport: httpTransport({ url, credential: key }),
  notice: (line) => console.error(line),
})
const receipt = await client.send('communication_events', {
  type: 'contact_preference_changed',
  payload: { contact_id: contact, channel: 'email', subscribed: false, preference_source: 'example' },
  sequence: Number(sequence),
})
console.log(JSON.stringify(receipt))
