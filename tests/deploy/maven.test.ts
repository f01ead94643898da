/** What Maven fetches, with a Maven that only pretends: what is fetched when, and what is left of a fetch that fails. */

import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MavenFiles } from '../../deploy/local/maven.ts'
import { isFetched, mavenFiles } from '../../deploy/local/maven.ts'

/** Writes down that it was called, then does what `plan` says. */
const pretendedMaven = `#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
output=$(echo "$@" | tr ' ' '\\n' | sed -n 's/^-Doutput=//p')
case $(cat "$here/plan") in
  fetch) mkdir -p "$output" && cp pom.xml "$output/fetched" ;;
  fail) echo; echo "[ERROR] no such artifact"; echo "[ERROR] run again with -e"; exit 1 ;;
  hang) echo $$ > "$here/pid"; exec sleep 60 ;;
esac
`

let scratch: string
let files: MavenFiles
const pathBefore = process.env['PATH']
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'maven-'))
  await mkdir(join(scratch, 'bin'))
  await writeFile(join(scratch, 'bin', 'mvn'), pretendedMaven)
  await chmod(join(scratch, 'bin', 'mvn'), 0o755)
  process.env['PATH'] = [join(scratch, 'bin'), pathBefore].join(delimiter)
  files = {
    ...{ what: 'a thing', pom: join(scratch, 'pom.xml'), property: 'thing.version' },
    ...{ goal: ['thing:fetch', '-Doutput={output}'], cache: join(scratch, 'cache'), name: 'thing' },
  }
  await pom('1.0', '')
  await plan('fetch')
})
afterEach(async () => {
  process.env['PATH'] = pathBefore
  await rm(scratch, { recursive: true, force: true })
})

const pom = (version: string, more: string): Promise<void> =>
  writeFile(files.pom, `<thing.version>${version}</thing.version>${more}`)
const plan = (text: string): Promise<void> => writeFile(join(scratch, 'bin', 'plan'), text)
const calls = async (): Promise<number> =>
  (await readFile(join(scratch, 'bin', 'calls'), 'utf8').catch(() => '')).split('\n').length - 1
const cached = (): Promise<string[]> => readdir(files.cache)

describe('files that Maven fetches', () => {
  test('are fetched once, and a person is told so', async () => {
    const notices: string[] = []
    const notice = (line: string): void => void notices.push(line)
    expect(await isFetched(files)).toBe(false)
    const place = await mavenFiles(files, { notice })
    expect(place).toMatch(/thing-1\.0-[0-9a-f]{12}$/)
    expect(await mavenFiles(files, { notice })).toBe(place)
    expect(await readFile(join(place, 'fetched'), 'utf8')).toBe('<thing.version>1.0</thing.version>')
    expect([await isFetched(files), await calls(), notices]).toEqual([
      true,
      1,
      ['fetching a thing through Maven, the first time only'],
    ])
  })

  test('are fetched anew when the pom changes, in its version or elsewhere', async () => {
    const places = [await mavenFiles(files)]
    await pom('1.0', '<more/>')
    places.push(await mavenFiles(files))
    await pom('1.1', '<more/>')
    places.push(await mavenFiles(files))
    expect([new Set(places).size, await calls()]).toEqual([3, 3])
  })

  test('are another version than the pom’s where that is wanted', async () => {
    const place = await mavenFiles({ ...files, version: '0.9' })
    expect(place).toMatch(/thing-0\.9-[0-9a-f]{12}$/)
    expect(await readFile(join(scratch, 'bin', 'calls'), 'utf8')).toContain(' -Dthing.version=0.9\n')
    expect(await mavenFiles(files)).not.toBe(place)
  })

  test('two at once give one directory', async () => {
    const [one, other] = await Promise.all([mavenFiles(files), mavenFiles(files)])
    expect(one).toBe(other)
    expect(await cached()).toHaveLength(1)
  })

  test('a fetch that fails is one line, leaves nothing, and the next tries again', async () => {
    await plan('fail')
    await expect(mavenFiles(files)).rejects.toThrow(/^Maven could not fetch a thing: \[ERROR\] no such artifact$/)
    expect(await cached()).toEqual([])
    await plan('fetch')
    await mavenFiles(files)
  })

  test('a fetch that is given up ends Maven and leaves nothing', async () => {
    await plan('hang')
    const up = new AbortController()
    const fetching = mavenFiles(files, { signal: up.signal })
    let pid = 0
    while (pid === 0) {
      await new Promise((done) => setTimeout(done, 25))
      pid = Number(await readFile(join(scratch, 'bin', 'pid'), 'utf8').catch(() => '0'))
    }
    up.abort(new Error('no longer wanted'))
    await expect(fetching).rejects.toThrow('no longer wanted')
    expect(await cached()).toEqual([])
    await expect.poll(() => isAlive(pid)).toBe(false)
  })

  test('a pom that names no version is refused', async () => {
    await writeFile(files.pom, '<other.version>1</other.version>')
    await expect(mavenFiles(files)).rejects.toThrow(`${files.pom} names no thing.version`)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
