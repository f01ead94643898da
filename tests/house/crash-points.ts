/**
 * Places to die, read from the source: `crash('C07')`, and the sinks' `hook('C20')`. Also which of the engine's commit path
 * has an `await` without one beside it.
 */

export interface Source {
  readonly path: string
  readonly text: string
}

/** Every place of the fault matrix: what they mean stands in topology/DESIGN.md. */
export const allPoints: readonly string[] = Array.from({ length: 33 }, (_, n) => `C${String(n + 1).padStart(2, '0')}`)

/** Those whose part of the product is not there yet. */
export const notBuilt: readonly string[] = []

/** The commit, from its begin to the rows moving down: file, and the functions of it that are on the path. */
export const commitPath: readonly { readonly path: string; readonly functions: readonly string[] }[] = [
  { path: 'topology/runtime/transaction.ts', functions: ['#commit'] },
  { path: 'topology/runtime/committer.ts', functions: ['commit'] },
]

const call = /\b(?:crash|hook)\)?\??\.?\(\s*'(C\d\d)'/g

/** Points by name, with the files that have them. */
export function pointsOf(sources: readonly Source[]): Map<string, string[]> {
  const points = new Map<string, string[]>()
  for (const { path, text } of sources) {
    for (const match of text.matchAll(call)) {
      const name = match[1] ?? ''
      points.set(name, [...new Set([...(points.get(name) ?? []), path])])
    }
  }
  return new Map([...points].sort(([a], [b]) => a.localeCompare(b)))
}

/** How many lines away from an `await` its point may stand. */
const near = 3

/** Lines of a function that wait without a point beside them. */
export function unnamedAwaits({ path, text }: Source, name: string): string[] {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => new RegExp(`^  (?:private )?async ${name}\\(`).test(line))
  if (first < 0) return [`${path}:1: the commit path has no function ${name} any more; name the one that is`]
  const last = lines.findIndex((line, index) => index > first && line === '  }')
  const hasPoint = (line: string): boolean => /crash\('C\d\d'\)/.test(line)
  return lines.flatMap((line, index) => {
    if (index <= first || index >= last || !/\bawait\b/.test(line)) return []
    const around = lines.slice(Math.max(first, index - near), Math.min(last, index + near + 1))
    return around.some(hasPoint)
      ? []
      : [`${path}:${index + 1}: an await of the commit path has no place to die beside it; add crash('Cnn')`]
  })
}
