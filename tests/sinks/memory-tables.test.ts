import { MemoryTables } from '../../sinks/index.ts'
import type { CommitHook } from '../../sinks/table-port.ts'
import { tablePortContract } from '../contracts/projection.ts'

tablePortContract('memory', () => {
  let hook: CommitHook = () => undefined
  const memory = new MemoryTables((point) => hook(point))
  return Promise.resolve({
    tables(wanted = () => undefined) {
      hook = wanted
      return memory
    },
    rows: (table) =>
      Promise.resolve(
        memory
          .rows(table)
          .map(({ key, values, partition, offset, changedAt }) => ({ key, values, partition, offset, changedAt })),
      ),
    close: () => Promise.resolve(),
  })
})
