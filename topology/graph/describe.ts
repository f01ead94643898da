import type { Topology } from './topology.ts'
import type { StoreNode } from './nodes.ts'
import { parentsOf, storesOf } from './topology.ts'

/** The wiring as text, stable under reordering of nothing but itself: its diff is the review of a change. */
export function describe(topology: Topology): string {
  const lines = [`application ${topology.name}`]
  for (const part of topology.subTopologies) {
    lines.push(`  part ${part.name}`)
    for (const node of part.nodes) {
      const from = parentsOf(node).length > 0 ? ` <- ${parentsOf(node).join(', ')}` : ''
      const topics =
        node.kind === 'source'
          ? ` (topic ${node.topic})`
          : node.kind === 'sink'
            ? ` (topics ${node.topics.join(', ')})`
            : ''
      const stores = storesOf(node).length > 0 ? ` [${storesOf(node).join(', ')}]` : ''
      lines.push(`    ${node.kind} ${node.name}${topics}${stores}${from}`)
    }
    for (const store of part.stores)
      lines.push(`    store ${store.name} (${store.kind}${windowOf(store)}${store.logged ? '' : ', not logged'})`)
  }
  for (const repartition of topology.repartitions) {
    lines.push(
      `  repartition ${repartition.name}${repartition.partitions === null ? '' : ` (${repartition.partitions} partitions)`}`,
    )
  }
  return `${lines.join('\n')}\n`
}

function windowOf({ window }: StoreNode): string {
  if (window === undefined) return ''
  const { windowSizeMs, retentionMs, retainDuplicates } = window
  return ` of ${windowSizeMs} ms, kept ${retentionMs} ms${retainDuplicates ? ', duplicates retained' : ''}`
}
