import { memoryDatabases } from '../../../state-stores/index.ts'
import { windowStoreContract } from '../../contracts/window-store.ts'
import { scratch } from '../rocksdb/scratch.ts'

windowStoreContract('memory', async () => ({ supplier: memoryDatabases, cleanup: async () => {} }))

windowStoreContract('rocksdb', async () => {
  const { supplier, remove } = await scratch()
  return { supplier, cleanup: remove }
})
