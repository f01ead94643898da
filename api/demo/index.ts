/** The pages of demos, for visitors without an account. */
export type { DemoPagesOptions } from './demo-pages.ts'
export { demoPages } from './demo-pages.ts'
export type { DemoPageSettings } from './settings.ts'
export { demoPageDefaults } from './settings.ts'
