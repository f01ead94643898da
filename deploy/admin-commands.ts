/** What an operator may ask of the running process. */

import type { Staff } from '../api/index.ts'
import type { AdminCommand } from './admin-socket.ts'
import { agentCommands } from './agent-commands.ts'
import { deadLetters } from './dead-letter-list.ts'
import type { Running } from './running.ts'

export function adminCommands(
  { sinks, streams, foundation }: Running,
  staff: Staff,
): Readonly<Record<string, AdminCommand>> {
  return {
    ...agentCommands(staff),
    'projections status': (_, say) => {
      for (const { name, state, partitions } of sinks.status()) {
        const behind = partitions.map(({ partition, lag }) => `${partition}: ${lag ?? '?'}`).join(', ')
        say(`${name.padEnd(22)} ${state.padEnd(9)} lag by partition ${behind}`)
      }
      return Promise.resolve()
    },
    'projections rebuild': async ([name = ''], say) => {
      const names = name === 'all' ? sinks.status().map((status) => status.name) : [name]
      for (const each of names) {
        await sinks.rebuild(each)
        say(`${each}: rebuilt from its topic`)
      }
    },
    blocked: async (_, say) => {
      const lines: string[] = []
      for (const application of streams.applications) {
        for (const { task, key, reason, message, count } of await application.blocked())
          lines.push(`${application.name} ${task} ${key}: ${count} set aside, ${reason}: ${message}`)
      }
      if (lines.length === 0) say('no key is blocked')
      for (const line of lines) say(line)
    },
    redrive: async ([name = '', key = '', mode = ''], say) => {
      const application = streams.applications.find((candidate) => candidate.name === name)
      const known = streams.applications.map((candidate) => candidate.name).join(', ')
      if (application === undefined) throw new Error(`no application "${name}" runs here; there are: ${known}`)
      if (!(await application.blocked()).some((blocked) => blocked.key === key))
        throw new Error(`nothing is set aside under ${key}`)
      const left = await application.redrive(Buffer.from(key, 'utf8'), { skipFirst: mode === 'skip' })
      say(
        left === 0
          ? `${key}: nothing is set aside any more`
          : `${key}: ${left} still set aside, the first one failed again`,
      )
    },
    'dead-letters': async (_, say) => {
      const letters = await deadLetters(foundation.log, 1000)
      if (letters.length === 0) say('no dead letters')
      for (const letter of letters) {
        say(
          `${letter.topic}-${letter.partition}@${letter.offset} ${letter.application}: ${letter.reason}: ${letter.message}`,
        )
      }
    },
    topics: async (_, say) => {
      for (const topic of await foundation.log.metadata()) say(`${topic.name} ${topic.partitions}`)
    },
  }
}
