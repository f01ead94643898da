/** The Java and the Maven of this machine: are they there, and new enough. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const javaAtLeast = 17

/**
 * One line that says what is missing to run `what`, or null.
 * @param what as it begins a sentence, e.g. `a real Kafka`
 * @param program `javac` where sources are compiled too
 */
export async function javaLacks(what: string, program: 'java' | 'javac' = 'java'): Promise<string | null> {
  const found = await run(program, ['-version'], { timeout: 30_000 }).then(
    ({ stdout, stderr }) => versionIn(stdout + stderr),
    () => 0,
  )
  if (found >= javaAtLeast) return null
  const kind = program === 'java' ? 'Java' : 'a JDK'
  return `${what} needs ${kind} ${javaAtLeast} or newer (${program} in PATH), found ${found === 0 ? 'none' : found}`
}

/** `javac 17.0.15`, or a line with `version "17.0.15"` in it; before 9 it was `1.8.0`. */
const versionIn = (said: string): number => Number(/(?:javac |version ")(?:1\.)?(\d+)/.exec(said)?.[1] ?? 0)

/** One line when there is no Maven to fetch `what`, or null. */
export async function mavenLacks(what: string): Promise<string | null> {
  return run('mvn', ['-v'], { timeout: 60_000 }).then(
    () => null,
    () => `${what} needs Maven (mvn in PATH) to be fetched, once`,
  )
}
