/** CRASH_POINT: the process kills itself at a named place, as power loss or `kill -9` would. */

import process from 'node:process'
import type { CrashPoint } from '../connectors/kafka/index.ts'
import { noCrash } from '../connectors/kafka/index.ts'

/** @param point as `C07`, or `C07:3` for the third pass; null never dies */
export function crashAt(
  point: string | null,
  die: () => void = () => void process.kill(process.pid, 'SIGKILL'),
): CrashPoint {
  if (point === null) return noCrash
  const [name = '', pass = '1'] = point.split(':')
  let left = Number(pass)
  return (passed) => {
    if (passed === name && --left === 0) die()
  }
}
