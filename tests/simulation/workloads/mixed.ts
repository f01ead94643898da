/** Two programs at once, on the same machines and the same log: several workers in a process, several groups. */

import type { Program, ProgramFactory } from '../program.ts'

export const mixed =
  (factories: readonly ProgramFactory[]): ProgramFactory =>
  (setting) => {
    const first = setting.chance.below(factories.length)
    const second = (first + 1 + setting.chance.below(factories.length - 1)) % factories.length
    return both(made(first), made(second))

    function made(index: number): Program {
      const factory = factories[index]
      if (factory === undefined) throw new RangeError(`there is no program ${index}`)
      return factory(setting)
    }
  }

const both = (a: Program, b: Program): Program => ({
  name: `${a.name} and ${b.name}`,
  topics: [...a.topics, ...b.topics],
  groups: [...a.groups, ...b.groups],
  crashPoints: [...(a.crashPoints ?? []), ...(b.crashPoints ?? [])],
  async start(machine) {
    const running = await Promise.all([a.start(machine), b.start(machine)])
    return {
      close: async () => void (await Promise.all(running.map((one) => one.close()))),
      tend: async () => {
        for (const one of running) await one.tend?.()
      },
    }
  },
  generate: (feed, nowMs, pick) => (pick.chance(0.5) ? a : b).generate(feed, nowMs, pick),
  healed() {
    a.healed?.()
    b.healed?.()
  },
  unfinished: (evidence, fed) => a.unfinished(evidence, fed) ?? b.unfinished(evidence, fed),
  check: (evidence, fed) => [...a.check(evidence, fed), ...b.check(evidence, fed)],
})
