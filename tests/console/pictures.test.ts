/** The pictures in docs/images are those that `npm run pictures` makes, small, and what the README shows is there. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { images, largestBytes, pictures } from './pictures.ts'

const names = pictures.map((name) => `${name}.png`)

test('every picture is there, and none besides', () => {
  expect(readdirSync(images).sort()).toEqual([...names].sort())
})

test.each(names)('%s is a small PNG', (name) => {
  const bytes = readFileSync(join(images, name))
  expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
  expect(bytes.length).toBeLessThanOrEqual(largestBytes)
})

test('the README shows all of them, and no others', () => {
  const readme = readFileSync(join(images, '../../README.md'), 'utf8')
  const shown = [...readme.matchAll(/docs\/images\/([\w-]+\.png)/g)].map(([, name]) => name!)
  expect([...new Set(shown)].sort()).toEqual([...names].sort())
})
