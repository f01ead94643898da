/** A copy of the source that a bug can be planted in, so that the tree itself is never touched. */

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Edit } from './bug.ts'

export const root = join(import.meta.dirname, '../..')

export interface SourceCopy {
  readonly directory: string
  plant(edits: readonly Edit[]): void
  /** Puts every file back as it was. */
  restore(): void
  remove(): void
}

export function copySource(): SourceCopy {
  const directory = mkdtempSync(join(tmpdir(), 'planted-'))
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of listed.toString().split('\0').filter(isSource)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    cpSync(join(root, file), join(directory, file))
  }
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  const before = new Map<string, string>()
  return {
    directory,
    plant(edits) {
      for (const edit of edits) {
        const path = join(directory, edit.file)
        const text = readFileSync(path, 'utf8')
        if (!before.has(path)) before.set(path, text)
        writeFileSync(path, applied(text, edit))
      }
    },
    restore() {
      for (const [path, text] of before) writeFileSync(path, text)
      before.clear()
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

const isSource = (file: string): boolean => /\.(ts|json|sql|txt|mjs)$/.test(file)

/** @throws Error when the place is not there exactly once: the bug must be planted anew, by hand */
export function applied(text: string, { file, find, replace }: Edit): string {
  const places = text.split(find).length - 1
  if (places !== 1) throw new Error(`${file} holds ${places} times: ${find}`)
  return text.replace(find, () => replace)
}

export const sourceOf = (file: string): string => readFileSync(join(root, file), 'utf8')
