import { memoryDatabases } from '../../../state-stores/index.ts'
import { storeContract } from '../../contracts/store.ts'

storeContract('memory', async () => ({ supplier: memoryDatabases, cleanup: async () => {} }))
