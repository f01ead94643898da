/** `node tests/conformance/record.ts [file]`: records anew, into the recording that is kept unless another file is named. */

import { writeFile } from 'node:fs/promises'
import { kafkaLacks } from '../../deploy/local/kafka.ts'
import { recordOnKafka } from './record-on-kafka.ts'
import { printRecording, recordingFile } from './recording.ts'
import { suite } from './suite.ts'

const lacks = await kafkaLacks()
if (lacks !== null) {
  console.error(lacks)
  process.exit(1)
}
const file = process.argv[2] ?? recordingFile
const recording = await recordOnKafka(suite, (what, tookMs) => console.log(`${what}: ${tookMs} ms`))
await writeFile(file, printRecording(recording))
console.log(`${suite.length} scripts on Kafka ${recording.kafka}: ${file}`)
