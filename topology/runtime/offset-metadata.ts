/**
 * What stands beside a committed offset: base64 of a version byte (2) and the partition's greatest timestamp, as Kafka
 * Streams writes it (TopicPartitionMetadata), so that stream time does not start from scratch after a restart.
 */

export function encodeOffsetMetadata(partitionTime: number): string {
  const bytes = Buffer.allocUnsafe(9)
  bytes.writeUInt8(2, 0)
  bytes.writeBigInt64BE(BigInt(partitionTime), 1)
  return bytes.toString('base64')
}

/** The partition time, or -1 when there is none or it is not ours. */
export function decodeOffsetMetadata(metadata: string): number {
  const bytes = Buffer.from(metadata, 'base64')
  if (bytes.length < 9 || bytes.readUInt8(0) !== 2) return -1
  return Number(bytes.readBigInt64BE(1))
}
