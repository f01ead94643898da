/** `npm run admin -- …`, as an operator runs it: for the instance in the directory that `DATA_DIR` names. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'

/** @returns what was printed, as lines @throws Error with the line that says what is wrong */
export type Admin = (...words: string[]) => Promise<readonly string[]>

const root = join(import.meta.dirname, '../..')

export const adminCommand: Admin = (...words) =>
  new Promise((resolve, reject) => {
    const args = ['run', '--silent', 'admin', '--', ...words]
    execFile('npm', args, { cwd: root, timeout: 60_000 }, (error, printed, troubles) => {
      if (error === null) resolve(printed.trimEnd().split('\n'))
      else reject(new Error(troubles.trim().split('\n')[0] || error.message))
    })
  })
