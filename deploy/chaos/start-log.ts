/** What the process said over all its lives: lines that must not be there after mere kills. */

const forbidden: readonly { readonly what: RegExp; readonly means: string }[] = [
  { what: /\bwiped?\b/i, means: 'a store was wiped' },
  { what: /^.*\bbug: /, means: 'a bug ended the process' },
  { what: /cannot go on/, means: 'a part gave up' },
  { what: /CORRUPT/, means: 'something was corrupt' },
]

/** One finding per line of the log that tells of damage. */
export function startLogFindings(log: string): string[] {
  return log
    .split('\n')
    .flatMap((line) => forbidden.filter(({ what }) => what.test(line)).map(({ means }) => `${means}: ${line.trim()}`))
}
