/** One window store in one task, with a changelog as the engine keeps it: for tests that commit, flush, kill and restore. */

import { TaskState } from '../../../state-stores/index.ts'
import type { StateDatabase, StateDatabaseSupplier, WindowOptions, WindowStore } from '../../../state-stores/index.ts'

export interface ChangelogRow {
  readonly key: Buffer
  readonly value: Buffer | null
}

const PATH = 'app/0_0'

export class WindowTask {
  readonly supplier: StateDatabaseSupplier
  readonly options: WindowOptions
  readonly changelog: ChangelogRow[] = []
  expired = 0
  database!: StateDatabase
  state!: TaskState

  constructor(supplier: StateDatabaseSupplier, options: WindowOptions) {
    this.supplier = supplier
    this.options = options
  }

  static async open(supplier: StateDatabaseSupplier, options: WindowOptions): Promise<WindowTask> {
    const task = new WindowTask(supplier, options)
    await task.open()
    return task
  }

  get store(): WindowStore {
    return this.state.windowStore('w')
  }

  async open(): Promise<void> {
    this.database = await this.supplier.open(PATH)
    this.state = TaskState.open({
      database: this.database,
      stores: [{ name: 'w', logged: true, window: this.options }],
      expired: () => void this.expired++,
    })
  }

  commit(): void {
    this.state.dirty((_, key, value) => void this.changelog.push({ key, value }))
    this.state.commit(new Map([['w', BigInt(this.changelog.length)]]))
  }

  async flush(): Promise<void> {
    this.commit()
    await this.state.flush()
  }

  /** Loses what was not flushed, then replays the changelog. */
  async kill(): Promise<void> {
    await this.database.close()
    await this.open()
    const from = Number(this.state.positions().get('w') ?? 0n)
    for (const { key, value } of this.changelog.slice(from)) this.state.restore('w', key, value)
    this.state.restored(new Map([['w', BigInt(this.changelog.length)]]))
  }

  /** Loses everything on disk, then replays the whole changelog. */
  async wipe(): Promise<void> {
    await this.database.close()
    await this.supplier.wipe(PATH)
    await this.open()
    for (const { key, value } of this.changelog) this.state.restore('w', key, value)
    this.state.restored(new Map([['w', BigInt(this.changelog.length)]]))
  }
}
