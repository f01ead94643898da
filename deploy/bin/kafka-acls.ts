/**
 * `npm run kafka-acls -- --principal User:lifecycle --bootstrap-server kafka:9092 [options]` prints the commands of Kafka's own
 * tool that give the application its rights. `--command-config file` and `--no-create` (topics are made by somebody else).
 */

import process from 'node:process'
import { parseArgs } from 'node:util'
import { aclCommands } from '../kafka-acl-commands.ts'
import { kafkaRights } from '../kafka-rights.ts'

const usage =
  'usage: npm run kafka-acls -- --principal User:<name> --bootstrap-server <host:port> [--command-config <file>] [--no-create]'

function main(): number {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      options: {
        ...{ principal: text, 'bootstrap-server': text, 'command-config': text },
        'no-create': { type: 'boolean', default: false },
      },
    })
    const { principal, 'bootstrap-server': server, 'command-config': config } = values
    if (principal === undefined || server === undefined || !principal.startsWith('User:')) throw new Error(usage)
    const to = ['--bootstrap-server', server, ...(config === undefined ? [] : ['--command-config', config])]
    for (const words of aclCommands(principal, kafkaRights(!values['no-create'])))
      console.log(['kafka-acls.sh', ...to, ...words].join(' '))
    return 0
  } catch (error) {
    console.error((error as Error).message.split('\n')[0])
    return 64
  }
}

process.exitCode = main()
