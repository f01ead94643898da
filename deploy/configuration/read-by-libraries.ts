/**
 * Variables that libraries of ours look up by themselves, past the configuration: they would send what persons said to
 * somebody else, or add to what is sent. Nobody could see it in the printed settings, so each is refused with its reason.
 */

interface Stray {
  readonly name: RegExp
  /** Values under which the library does nothing. */
  readonly harmless?: RegExp
  readonly reason: string
}

const strays: readonly Stray[] = [
  {
    name: /^(LANGSMITH|LANGCHAIN)_TRACING(_V2)?$/,
    harmless: /^(false|0)$/i,
    reason: 'conversations with visitors would be sent to a third party',
  },
  {
    name: /^(OPENAI|ANTHROPIC)_CUSTOM_HEADERS$/,
    reason: 'it would add to every request that is sent to the vendor',
  },
]

/** One line per name, sorted. Names set to nothing are not looked at, as everywhere. */
export function readByLibraries(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(environment)
    .sort()
    .flatMap((name) => {
      const value = environment[name] ?? ''
      const stray = strays.find((each) => each.name.test(name))
      if (value === '' || stray === undefined || stray.harmless?.test(value) === true) return []
      return [`${name}: is given, but ${stray.reason}; unset it`]
    })
}
