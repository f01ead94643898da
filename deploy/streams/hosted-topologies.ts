/** What a process hosts by its ROLES and SERVICES. */

import type { ChatModel } from '../../connectors/agents/index.ts'
import { defaultDemoChatSettings, demoChatTopology } from '../../connectors/agents/index.ts'
import { effectsTopology } from '../../connectors/effects/index.ts'
import type { Provider } from '../../connectors/effects/index.ts'
import { compileService, services } from '../../processors/index.ts'
import type { EventTopic } from '../../schemas/index.ts'
import { demoEvents, topics } from '../../schemas/index.ts'
import type { Topology } from '../../topology/index.ts'
import type { Config } from '../config.ts'
import type { StreamFoundation } from '../foundation.ts'
import { machineClock } from '../machine.ts'
import { serviceSettings } from './service-settings.ts'

/** @param model what visitors of a demo talk with */
export function hostedTopologies(
  foundation: StreamFoundation,
  providers: readonly Provider[],
  model: ChatModel,
): Topology[] {
  const { roles } = foundation.config
  return [
    ...(roles.includes('worker') ? serviceTopologies(foundation, ({ name }) => isHosted(foundation.config, name)) : []),
    ...(roles.includes('effects') ? callingTopologies(foundation, providers, model) : []),
  ]
}

/** Of all processes together, whatever this one hosts. To be looked at: nothing in them is run. */
export const allTopologies = (foundation: StreamFoundation, providers: readonly Provider[]): Topology[] => [
  ...serviceTopologies(foundation, () => true),
  ...callingTopologies(foundation, providers, notToBeAsked),
]

const notToBeAsked: ChatModel = {
  complete: () => Promise.reject(new Error('this topology is not run')),
}

function serviceTopologies(
  { config, keyRing, codec }: StreamFoundation,
  isWanted: (service: { readonly name: string }) => boolean,
): Topology[] {
  return services(serviceSettings(config))
    .filter(isWanted)
    .map((service) => compileService(service, { event: codec, keyRing }))
}

function callingTopologies(foundation: StreamFoundation, providers: readonly Provider[], model: ChatModel): Topology[] {
  const { codec, time } = foundation
  const effects = effectsTopology({ providers, topics: callTopics(), codec, clock: time })
  return [effects, demoChat(foundation, model)]
}

function demoChat({ keyRing, codec, time }: StreamFoundation, model: ChatModel): Topology {
  const events = codec(demoEvents as unknown as EventTopic)
  return demoChatTopology({
    codec: events,
    keyRing,
    model,
    clock: machineClock,
    time,
    settings: defaultDemoChatSettings,
  })
}

const isHosted = (config: Config, service: string): boolean =>
  config.services === 'all' || config.services.includes(service)

/** Topics that some service of today writes calls to: the others would be read for nothing. */
export function callTopics(): EventTopic[] {
  const written = new Set(
    services().flatMap((service) =>
      service.processors.flatMap((processor) => processor.writes.map((topic) => topic.name)),
    ),
  )
  return topics.filter(
    (topic) => written.has(topic.name) && 'call_requested' in topic.events,
  ) as unknown as EventTopic[]
}
