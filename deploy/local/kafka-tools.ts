/** Kafka's own command-line tools, by the names of their scripts without `kafka-` before and `.sh` behind. */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { kafkaJars } from './kafka.ts'

const tools = 'org.apache.kafka.tools'

/** The class of each. */
export const kafkaTools: Readonly<Record<string, string>> = {
  acls: `${tools}.AclCommand`,
  'broker-api-versions': `${tools}.BrokerApiVersionsCommand`,
  cluster: `${tools}.ClusterTool`,
  configs: 'kafka.admin.ConfigCommand',
  'console-consumer': `${tools}.consumer.ConsoleConsumer`,
  'console-producer': `${tools}.ConsoleProducer`,
  'consumer-groups': `${tools}.consumer.group.ConsumerGroupCommand`,
  'delete-records': `${tools}.DeleteRecordsCommand`,
  'dump-log': `${tools}.DumpLogSegments`,
  features: `${tools}.FeatureCommand`,
  'get-offsets': `${tools}.GetOffsetShell`,
  groups: `${tools}.GroupsCommand`,
  'leader-election': `${tools}.LeaderElectionCommand`,
  'log-dirs': `${tools}.LogDirsCommand`,
  'metadata-quorum': `${tools}.MetadataQuorumCommand`,
  'reassign-partitions': `${tools}.reassign.ReassignPartitionsCommand`,
  'streams-groups': `${tools}.streams.StreamsGroupCommand`,
  topics: `${tools}.TopicCommand`,
  transactions: `${tools}.TransactionsCommand`,
}

/** As a script, started anew for each question: compiled little, and with a small heap. */
const likeAScript = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m']

/**
 * Runs a tool on our own input and output.
 * @param say is told when the jars are fetched
 * @returns its exit code
 */
export async function runKafkaTool(
  name: string,
  words: readonly string[],
  say: (line: string) => void,
): Promise<number> {
  const jars = await kafkaJars({ notice: say })
  const child = spawn('java', [...likeAScript, '-cp', join(jars, '*'), kafkaTools[name] ?? '', ...words], {
    stdio: 'inherit',
  })
  // On a terminal Ctrl-C reaches it by itself; it ends, and we after it.
  process.on('SIGINT', () => process.stdin.isTTY === true || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((done, failed) => {
    child.once('error', failed)
    child.once('close', (code, signal) => done(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
  })
}
