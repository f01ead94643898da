/**
 * `npm run kafka-acls -- --principal User:lifecycle --bootstrap-server kafka:9092 [options]` prints the commands of Kafka's own
 * tool that give the application its rights; with `--producer name --topics a,b` those of a producer that writes events itself. `--command-config file` and `--no-create` (topics are made by somebody else).
 */

import process from 'node:process'
import { parseArgs } from 'node:util'
import { aclCommands } from '../kafka-acl-commands.ts'
import { kafkaRights, producerRights } from '../kafka-rights.ts'

const usage =
  'usage: npm run kafka-acls -- --principal User:<name> --bootstrap-server <host:port> [--command-config <file>] [--no-create] [--producer <name> --topics <topic,…>]'

function main(): number {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      options: {
        ...{ principal: text, 'bootstrap-server': text, 'command-config': text, producer: text, topics: text },
        'no-create': { type: 'boolean', default: false },
      },
    })
    const { principal, 'bootstrap-server': server, 'command-config': config, producer, topics = '' } = values
    if (principal === undefined || server === undefined || !principal.startsWith('User:')) throw new Error(usage)
    const to = ['--bootstrap-server', server, ...(config === undefined ? [] : ['--command-config', config])]
    if (producer !== undefined && topics === '') throw new Error('--producer: is given without --topics; wanted both')
    const creates = !values['no-create']
    const rights = producer === undefined ? kafkaRights(creates) : producerRights(producer, topics.split(','), creates)
    for (const words of aclCommands(principal, rights)) console.log(['kafka-acls.sh', ...to, ...words].join(' '))
    return 0
  } catch (error) {
    console.error((error as Error).message.split('\n')[0])
    return 64
  }
}

process.exitCode = main()
