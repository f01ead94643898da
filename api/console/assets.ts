/**
 * The console's files, ready to send: its modules are TypeScript here and JavaScript on the way out (types are blanked, as
 * Node does it; the build has JavaScript already). Made once, at the first request, with their compressed form and tag.
 */

import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'

export interface Asset {
  readonly type: string
  readonly bytes: Buffer
  readonly gzip: Buffer
  /** Changes with the bytes. */
  readonly etag: string
}

const javascript = 'text/javascript; charset=utf-8'
const stylesheet = 'text/css; charset=utf-8'

/** Libraries of the browser's, by the name they are served under: the package, and the file in it. */
const vendored: Readonly<Record<string, { readonly of: string; readonly file: string; readonly type: string }>> = {
  'vendor/dagre.js': { of: '@dagrejs/dagre', file: 'dist/dagre.esm.js', type: javascript },
  'vendor/uplot.js': { of: 'uplot', file: 'dist/uPlot.esm.js', type: javascript },
  'vendor/uplot.css': { of: 'uplot', file: 'dist/uPlot.min.css', type: stylesheet },
}

const folder = new URL('./browser/', import.meta.url)

/** By path below `/console/assets/`, e.g. `app.js`, `pages/board.js`, `vendor/dagre.js`. */
export async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>()
  const names = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll('\\', '/'))
  for (const name of names) {
    const module = /^(.+)\.(ts|js)$/.exec(name)
    if (module !== null && !name.endsWith('.d.ts'))
      assets.set(`${module[1]!}.js`, assetOf(javascript, await script(name)))
    if (name.endsWith('.css')) assets.set(name, assetOf(stylesheet, await readFile(new URL(name, folder))))
    if (name.endsWith('.svg')) assets.set(name, assetOf('image/svg+xml', await readFile(new URL(name, folder))))
  }
  const require = createRequire(import.meta.url)
  for (const [name, { of, file, type }] of Object.entries(vendored))
    assets.set(name, assetOf(type, withoutMap(await readFile(inPackage(require, of, file), 'utf8'))))
  return assets
}

/** JavaScript of one module; its imports name JavaScript too. */
async function script(name: string): Promise<string> {
  const text = await readFile(new URL(name, folder), 'utf8')
  if (!name.endsWith('.ts')) return text
  const { transformSync } = await import('amaro')
  const { code } = transformSync(text, { mode: 'strip-only' })
  return code.replace(/((?:from|import)\s*\(?\s*['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2')
}

/** Blanked types leave lines of blanks behind. */
const assetOf = (type: string, text: string | Buffer): Asset => {
  const bytes = Buffer.from(typeof text === 'string' ? text.replace(/[ \t]+$/gm, '') : text)
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 24)}"`
  return { type, bytes, gzip: gzipSync(bytes), etag }
}

/** The maps are not served, so nobody is sent looking for them. */
const withoutMap = (text: string): string => text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')

/** A file of a package, whatever its `exports` say. */
function inPackage(require: NodeJS.Require, name: string, file: string): string {
  for (const directory of require.resolve.paths(name) ?? []) {
    try {
      return require.resolve(`${directory}/${name}/${file}`)
    } catch {
      // not in this one
    }
  }
  throw new Error(`the package ${name} is not installed`)
}
