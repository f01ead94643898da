/** Product analytics: what people did, exported. */
export type { MixpanelSettings } from './mixpanel.ts'
export { mixpanelProvider } from './mixpanel.ts'
