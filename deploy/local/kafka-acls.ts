/** Rights at a local Kafka, given by whoever may do everything there. */

import type { Acl } from '@platformatic/kafka'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import type { KafkaRight } from '../kafka-rights.ts'
import type { Kafka } from './kafka.ts'

const resourceTypes = {
  topic: ResourceTypes.TOPIC,
  group: ResourceTypes.GROUP,
  'transactional-id': ResourceTypes.TRANSACTIONAL_ID,
} as const
const operations = {
  Read: AclOperations.READ,
  Write: AclOperations.WRITE,
  Create: AclOperations.CREATE,
  Delete: AclOperations.DELETE,
  Describe: AclOperations.DESCRIBE,
  DescribeConfigs: AclOperations.DESCRIBE_CONFIGS,
} as const

/** Allows a user these. They count a moment later. */
export const allow = (kafka: Kafka, user: string, rights: readonly KafkaRight[]): Promise<void> =>
  asOwner(kafka, (admin) => admin.createAcls({ creations: aclsOf(user, rights) }))

/** Takes these away again; the next request after a moment is refused. */
export async function disallow(kafka: Kafka, user: string, rights: readonly KafkaRight[]): Promise<void> {
  await asOwner(kafka, (admin) => admin.deleteAcls({ filters: aclsOf(user, rights) }))
}

const aclsOf = (user: string, rights: readonly KafkaRight[]): Acl[] =>
  rights.flatMap(({ on, name, isPrefix, may }) =>
    may.map((operation) => ({
      resourceType: resourceTypes[on],
      resourceName: name,
      resourcePatternType: isPrefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:${user}`,
      host: '*',
      operation: operations[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  )

async function asOwner<R>(kafka: Kafka, work: (admin: Admin) => Promise<R>): Promise<R> {
  const admin = new Admin({ clientId: 'owner', bootstrapBrokers: kafka.bootstrap.split(',') })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}
