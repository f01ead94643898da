/** Names of a producer's at the cluster; durable. */
export const producerNames = {
  sequencesTopic: 'producer_sequences',
  transactionalId: (producer: string): string => `producer-${producer}`,
} as const
