export { WindowRows } from './window-rows.ts'
export type { WindowDirection, WindowEntry, WindowOptions, WindowStore } from './window-store.ts'
