/**
 * `node tests/planted/main.ts [name...]`: plants the bugs whose name holds one of these, all unless told, and says what
 * caught each. Exit code 1 when one was not.
 */

import process from 'node:process'
import type { PlantedBug } from './bug.ts'
import { plantedBugs } from './bugs.ts'
import type { Verdict } from './catch.ts'
import { Workshop } from './workshop.ts'

const bugsAtOnce = 2
const tableHead = '| caught | bug | by | what it said | time |\n| --- | --- | --- | --- | --- |'

export function tableLine({ name, caughtBy }: PlantedBug, { caught, by, seed, seconds }: Verdict): string {
  const how = 'seeds' in caughtBy ? `seed ${seed ?? '-'}, ${caughtBy.program ?? 'all programs'}` : caughtBy.file
  return `| ${caught ? 'yes' : 'NO'} | ${name} | ${how} | ${by.slice(0, 160)} | ${seconds.toFixed(1)} s |`
}

async function main(names: readonly string[]): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const workshop = new Workshop(bugsAtOnce)
  say(tableHead)
  const isWanted = ({ name }: PlantedBug): boolean => names.length === 0 || names.some((part) => name.includes(part))
  const plant = async (bug: PlantedBug): Promise<void> => {
    const verdict = await workshop.try(bug)
    say(tableLine(bug, verdict))
    if (!verdict.caught) process.exitCode = 1
  }
  await Promise.all(plantedBugs.filter(isWanted).map(plant)).finally(() => workshop.close())
}

if (import.meta.main) await main(process.argv.slice(2))
