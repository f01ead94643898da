/** The command line of `npm run conformance`. */

import { parseArgs } from 'node:util'

export interface ConformanceArguments {
  /** Of Kafka; the recorded one unless told. */
  readonly kafka: string | null
  /** Below 2 the protocol of before KIP-890; as the version has it unless told. */
  readonly transactionVersion: string | null
  /** Through a listener with SASL, with the application's kind of rights and no others. */
  readonly secured: 'SASL_PLAINTEXT' | 'SASL_SSL' | null
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  /** Where what differs is written as JSON. */
  readonly json: string | null
}

export const usage = [
  'npm run conformance -- [options]: the scripts through our client, on a real Kafka that is started for it',
  '  --kafka v                a version that Maven has, such as 3.9.2 (the recorded one)',
  '  --transaction-version n  0 or 1: the protocol of before KIP-890',
  '  --secured                SASL and ACLs: the rights of an application on its topics, groups and transactional ids only',
  '  --protocol p             secured: SASL_PLAINTEXT or SASL_SSL (SASL_SSL)',
  '  --mechanism m            secured: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (SCRAM-SHA-512)',
  '  --json file              write there what differs',
].join('\n')

const protocols = ['SASL_PLAINTEXT', 'SASL_SSL'] as const
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** @returns the arguments, or one line that says what is wrong */
export function readConformanceArguments(argv: readonly string[]): ConformanceArguments | string {
  const text = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        ...{ kafka: text, 'transaction-version': text, protocol: text, mechanism: text, json: text },
        secured: { type: 'boolean', default: false },
      },
    })
    const { kafka = null, secured, json = null, 'transaction-version': transactionVersion = null } = values
    if (kafka !== null && !/^\d+\.\d+\.\d+$/.test(kafka)) return `--kafka: ${kafka} is given; wanted such as 3.9.2`
    if (transactionVersion !== null && !/^[012]$/.test(transactionVersion))
      return `--transaction-version: ${transactionVersion} is given; wanted 0, 1 or 2`
    const protocol = protocols.find((one) => one === (values.protocol ?? 'SASL_SSL'))
    if (protocol === undefined) return `--protocol: ${values.protocol} is given; wanted ${protocols.join(' or ')}`
    const mechanism = mechanisms.find((one) => one === (values.mechanism ?? 'SCRAM-SHA-512'))
    if (mechanism === undefined) return `--mechanism: ${values.mechanism} is given; wanted ${mechanisms.join(', ')}`
    if (!secured && (values.protocol ?? values.mechanism) !== undefined)
      return '--protocol, --mechanism: given without --secured'
    return { kafka, transactionVersion, secured: secured ? protocol : null, mechanism, json }
  } catch (error) {
    return (error as Error).message.split('\n')[0] ?? ''
  }
}
