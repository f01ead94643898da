/** Certificates that a setting names the file of. */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** @throws Error with one line that names the variable */
export function certificatesIn(variable: string, file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`${variable}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  try {
    new X509Certificate(text)
    return text
  } catch (cause) {
    throw new Error(`${variable}: ${file} holds no certificate; wanted PEM`, { cause })
  }
}
