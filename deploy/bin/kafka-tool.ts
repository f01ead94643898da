/** `npm run kafka-tool -- consumer-groups --bootstrap-server 127.0.0.1:9092 --list`: Kafka's command-line tools. */

import process from 'node:process'
import { exitConfig } from '../config.ts'
import { brokerLacks } from '../local/kafka.ts'
import { kafkaTools, runKafkaTool } from '../local/kafka-tools.ts'

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const [name = '', ...words] = process.argv.slice(2)
const lacks = Object.hasOwn(kafkaTools, name) ? await brokerLacks() : null

if (!Object.hasOwn(kafkaTools, name)) {
  say(`usage: npm run kafka-tool -- ${Object.keys(kafkaTools).join('|')} [its options, --help]`)
  process.exitCode = 64
} else if (lacks !== null) {
  say(lacks)
  process.exitCode = exitConfig
} else {
  try {
    process.exitCode = await runKafkaTool(name, words, say)
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}
