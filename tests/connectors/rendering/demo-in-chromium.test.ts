/** The demo page as its visitors have it: under its policy, on a phone too, in the dark too, by keyboard alone. */

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoPage, expiredPage, missingPage, policyOf } from '../../../connectors/rendering/index.ts'
import { findChromium, launch } from '../../browser/chromium.ts'
import { findingsOn } from '../../browser/looked-at.ts'
import { personalization } from './fixtures.ts'

const found = await findChromium()
const path = 'path' in found ? found.path : null
const why = 'lacks' in found ? ` (skipped: ${found.lacks})` : ''

const place = { base_path: '/demo', chat_enabled: true, seller_name: 'Lifecycle' }
const pages: Readonly<Record<string, string>> = {
  '/demo': demoPage(personalization, place),
  '/expired': expiredPage('Lifecycle'),
  '/missing': missingPage('Lifecycle'),
}

/** What the page told, in its order, and answers to its chat. */
const told: { readonly path: string; readonly body: Record<string, unknown> }[] = []
let answers: { readonly role: string; readonly text: string }[] = []

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://demo')
  const page = pages[pathname]
  if (page !== undefined) {
    const policy = policyOf(Buffer.from(page))
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy })
    response.end(page)
    return
  }
  if (request.method === 'POST') told.push({ path: pathname, body: await bodyOf(request) })
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(request.method === 'GET' ? { messages: answers } : {}))
}

const server = createServer((request, response) => void answer(request, response))

describe.skipIf(path === null)(`a demo page in Chromium${why}`, () => {
  let browser: Browser
  let url: string

  beforeAll(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    browser = await launch(path!)
  }, 60_000)
  afterAll(async () => {
    await browser.close()
    server.close()
  })

  interface Look {
    readonly width: number
    readonly scheme: 'light' | 'dark'
  }

  async function visit(at: string, look: Look = { width: 1440, scheme: 'light' }) {
    const { width, scheme } = look
    const context = await browser.newContext({
      viewport: { width, height: 844 },
      colorScheme: scheme,
      reducedMotion: 'reduce',
    })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url + at)
    return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
  }

  test.each([
    { width: 1440, scheme: 'light' },
    { width: 1440, scheme: 'dark' },
    { width: 390, scheme: 'light' },
    { width: 320, scheme: 'dark' },
  ] as const)(
    'is as wide as the screen, and axe finds nothing serious: $width px, $scheme',
    async (look) => {
      answers = [{ role: 'assistant', text: 'From 49 € a seat and month.' }]
      for (const at of Object.keys(pages)) {
        await using visited = await visit(at, look)
        const { page, complaints } = visited
        if (at === '/demo') {
          await page.getByText('From 49 €').waitFor()
          await page.getByLabel('Your question').fill('And for many?')
          await page.keyboard.press('Enter')
          await page.getByText('And for many?').waitFor()
        }
        const findings = [...(await findingsOn(page)), ...complaints]
        if (at === '/demo')
          for (let step = 2; step <= personalization.steps.length; step++) {
            await page.getByRole('button', { name: 'Next', exact: true }).click()
            await page
              .getByText(`Step ${String(step)} of`)
              .first()
              .waitFor()
            findings.push(...(await findingsOn(page)))
          }
        expect(findings, at).toEqual([])
      }
    },
    60_000,
  )

  test('is walked by keyboard alone: skip, step by step, ask, answer, and the last word', async () => {
    answers = []
    await using visited = await visit('/demo')
    const { page } = visited
    const focused = (): Promise<string> =>
      page.evaluate(() => (document.activeElement?.textContent ?? '').trim().replace(/\s+/g, ' '))
    const tabTo = async (name: string): Promise<void> => {
      for (let n = 0; n < 30; n++) {
        await page.keyboard.press('Tab')
        const style = await page.evaluate(() => {
          const active = document.activeElement!
          return active === document.body ? null : getComputedStyle(active).outlineStyle
        })
        if (style !== null) expect(style, `the focus on ${await focused()}`).not.toBe('none')
        if ((await focused()) === name) return
      }
      throw new Error(`tab did not come to ${name}`)
    }
    told.length = 0
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the tour')
    await page.keyboard.press('Enter')
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('.step:not([hidden]) .count').textContent()).toBe('Step 2 of 4')
    await tabTo('Next')
    await page.keyboard.press('Enter')
    await page.locator('.step:not([hidden]) .count', { hasText: 'Step 3 of 4' }).waitFor()
    // What is read next is the step, not the button that led to it.
    expect(await focused()).toContain('Step 3 of 4')
    await askByKeyboard(page)
    await tabTo(personalization.call_to_action)
    await page.keyboard.press('Enter')
    await page.getByText('Thank you. You will hear from us shortly.').waitFor()
    const kinds = told.map(({ path: to, body }) => (to === '/demo/chat' ? 'asked' : String(body['type'])))
    expect(kinds.filter((kind) => kind !== 'ping')).toEqual(['step', 'step', 'asked', 'cta'])
    expect(new Set(told.map(({ body }) => body['session_id'])).size).toBe(1)
  }, 60_000)

  async function askByKeyboard(page: Page): Promise<void> {
    for (let n = 0; n < 30; n++) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate(() => document.activeElement?.id)) === 'text') break
    }
    await page.keyboard.type('What does it cost?')
    answers = [
      { role: 'user', text: 'What does it cost?' },
      { role: 'assistant', text: 'From 49 € a seat and month.' },
    ]
    await page.keyboard.press('Enter')
    await page.getByText('From 49 €').waitFor()
    expect(await page.locator('#log p').allTextContents()).toEqual([
      expect.stringContaining('Hello!') as string,
      'What does it cost?',
      'From 49 € a seat and month.',
    ])
  }
})
