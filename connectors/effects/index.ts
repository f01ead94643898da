/** Outside calls as events: the port a provider implements, and the worker that makes the calls. */
export type { CallClass, CallOutcome, Provider, ProviderCall } from './port.ts'
export { effectsApplication, effectsTopology } from './worker.ts'
export type { EffectsOptions } from './worker.ts'
