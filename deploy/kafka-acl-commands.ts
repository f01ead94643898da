/** Rights as words of Kafka's tool `kafka-acls`. */

import type { KafkaRight } from './kafka-rights.ts'

/** @returns the arguments of each command: rights that are alike are one */
export function aclCommands(principal: string, rights: readonly KafkaRight[]): string[][] {
  const alike = Map.groupBy(rights, ({ on, isPrefix, may }) => [on, isPrefix, ...may].join())
  return [...alike.values()].map((group) => {
    const [{ on, isPrefix, may }] = group as [KafkaRight]
    return [
      ...['--add', '--allow-principal', principal],
      ...may.flatMap((operation) => ['--operation', operation]),
      ...(isPrefix ? ['--resource-pattern-type', 'prefixed'] : []),
      ...group.flatMap(({ name }) => [`--${on}`, name]),
    ]
  })
}
