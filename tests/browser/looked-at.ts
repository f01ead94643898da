/** A page judged as it stands: its width, its texts' contrast, and what else axe finds to be serious. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const run = `axe.run().then((result) => ({
  grave: result.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ' ' + nodes[0].html + ' ' + nodes[0].failureSummary),
  contrasts: result.passes.filter(({ id }) => id === 'color-contrast').flatMap(({ nodes }) => nodes).length,
}))`

/** One line per finding. */
export async function findingsOn(page: Page): Promise<string[]> {
  const findings: string[] = []
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (wide > 0) findings.push(`it is ${String(wide)} px too wide`)
  await page.evaluate(axe)
  const { grave, contrasts } = await page.evaluate<{ grave: string[]; contrasts: number }>(run)
  findings.push(...grave)
  // It was computed, of more than a frame around nothing.
  if (contrasts < 3) findings.push(`contrast of ${String(contrasts)} texts only`)
  return findings
}
