/** The console in a real browser against the whole platform: what people do with it, and how it behaves. */

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launch } from '../browser/chromium.ts'
import { findingsOn } from '../browser/looked-at.ts'
import type { Organization } from './world.ts'
import { agentEmail, operatorEmail, World } from './world.ts'

const found = await findChromium()
const path = 'path' in found ? found.path : null
const why = 'lacks' in found ? ` (skipped: ${found.lacks})` : ''

interface Seat {
  readonly page: Page
  /** What the browser complained about. */
  readonly complaints: string[]
  readonly context: BrowserContext
}

describe.skipIf(path === null)(`the console in Chromium${why}`, () => {
  const world = new World()
  const seats: Seat[] = []
  let browser: Browser
  let clear: Organization
  let doubtful: Organization
  let hopeless: Organization
  let foreign: Organization

  beforeAll(async () => {
    await world.start()
    const rules = [
      {
        companies: ['doubtful', 'hopeless', 'undecided', 'between', 'behind', 'keys'].map((name) => `${name}.example`),
        answer: 'low_confidence',
      },
    ]
    await world.call('PUT', '/sandbox/script', rules)
    await world.register(operatorEmail, 'Lifecycle Operations')
    await world.hire(agentEmail)
    clear = await world.register('ada@clear.example', 'Clear')
    doubtful = await world.register('bob@doubtful.example', 'Doubtful')
    hopeless = await world.register('eve@hopeless.example', 'Hopeless')
    foreign = await world.register('mallory@foreign.example', 'Foreign')
    for (const { tenantId } of [clear, doubtful, hopeless]) await world.assign(tenantId)
    const token = await world.tokenOf(agentEmail)
    await world.until('their reviews', async () => {
      const { items } = (await world.call('GET', '/api/v1/reviews', undefined, token)).body
      const of = (items as { organization_id: string; subject_type: string }[]).filter(
        (item) => item.subject_type === 'finding',
      )
      const ids = of.map(({ organization_id }) => organization_id)
      return [doubtful, hopeless].every(({ organizationId }) => ids.includes(organizationId)) ? true : null
    })
    await world.poison('research_events', `${foreign.tenantId}|${foreign.organizationId}`)
    await world.call('PUT', '/sandbox/script', rules)
    browser = await launch(path!)
  }, 180_000)
  afterAll(async () => {
    await browser.close()
    await world[Symbol.asyncDispose]()
  }, 60_000)
  afterEach(async () => {
    for (const { context } of seats.splice(0)) await context.close()
  })

  /** A browser of its own, at the console. */
  async function sit(options: { readonly width?: number; readonly scheme?: 'light' | 'dark' } = {}): Promise<Seat> {
    const { width = 1280, scheme = 'light' } = options
    const context = await browser.newContext({ viewport: { width, height: 850 }, colorScheme: scheme, locale: 'en-GB' })
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`${message.text()} ${message.location().url}`)
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.setDefaultTimeout(15_000)
    const seat = { page, complaints, context }
    seats.push(seat)
    await page.goto(`${world.url}/console`)
    return seat
  }

  async function logIn(page: Page, email: string): Promise<void> {
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill(world.passwordOf(email))
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
  }

  async function seated(email: string, options: Parameters<typeof sit>[0] = {}): Promise<Seat> {
    const seat = await sit(options)
    await logIn(seat.page, email)
    return seat
  }

  const go = (page: Page, place: string): Promise<unknown> => page.goto(`${world.url}/console${place}`)
  const headingIs = (page: Page, text: string | RegExp): Promise<void> =>
    page.getByRole('heading', { level: 1, name: text }).waitFor()

  test('a wrong password is said in a sentence; the right one opens; a reload stays; logging out ends it', async () => {
    const { page } = await sit()
    await page.getByLabel('E-mail').fill(agentEmail)
    await page.getByLabel('Password').fill('wrong horse')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('This e-mail address and password do not belong together.').waitFor()
    await logIn(page, agentEmail)
    await page.reload()
    await headingIs(page, 'Lifecycle board')
    const token = await page.evaluate(() => JSON.stringify(sessionStorage) + JSON.stringify(localStorage))
    expect(token).not.toContain('eyJ')
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.locator('.door').getByText('You are logged out.').waitFor()
    await page.reload()
    await page.getByLabel('Password').waitFor()
  })

  test('a session that ended elsewhere is said, and a new log-in goes on at the same place', async () => {
    const { page } = await seated(agentEmail)
    await go(page, '/reviews')
    await page.getByRole('heading', { level: 2, name: 'Doubtful' }).waitFor()
    await world.sql(`update auth.sessions set revoked_at = now(), revoked_reason = 'logout'`)
    await page.getByRole('link', { name: 'Doubtful' }).click()
    await page.locator('.door').getByText('Your session has ended. Log in to go on where you were.').waitFor()
    await logIn(page, agentEmail)
    await headingIs(page, 'Doubtful')
  })

  test('the board shows whom the agent looks after, and nobody else; a new company arrives by itself', async () => {
    const { page, complaints } = await seated(agentEmail)
    const board = page.locator('.board')
    await board.getByRole('link', { name: 'Clear' }).waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await board.getByRole('article').count()).toBe(3)
    expect(await page.content()).not.toContain('Foreign')
    const arrived = await world.register('new@arriving.example', 'Arriving', (tenantId) => world.assign(tenantId))
    await board.locator(`[data-id="${arrived.organizationId}"]`).waitFor()
    // Researched, it goes on: also that by itself.
    await page.getByRole('region', { name: /^Demo/ }).getByRole('link', { name: 'Arriving' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('a company moves to another column when its lifecycle ends; the decisions are made on its reviews', async () => {
    const [{ page }, other] = [await seated(agentEmail), await seated(agentEmail)]
    const column = (name: string) => page.getByRole('region', { name: new RegExp(`^${name}`) })
    await column('Researching').getByRole('link', { name: 'Hopeless' }).waitFor()
    for (const reason of [/Not sure enough/, /Research failed/]) {
      await go(other.page, '/reviews')
      const row = other.page.locator('.review-row').filter({ hasNotText: 'Doubtful' }).filter({ hasText: reason })
      await row.getByRole('link').click()
      await other.page.getByRole('button', { name: 'Reject' }).click()
      await other.page.getByRole('heading', { name: 'Decided: reject' }).waitFor()
    }
    await column('Lost').getByRole('link', { name: 'Hopeless' }).waitFor()
    expect(await column('Researching').getByRole('link', { name: 'Hopeless' }).count()).toBe(0)
    expect(other.complaints).toEqual([])
  })

  test('a review is claimed, and given back', async () => {
    const { page, complaints } = await seated(agentEmail)
    await go(page, '/reviews')
    await page.getByRole('link', { name: 'Doubtful' }).click()
    await page.getByRole('button', { name: 'Claim' }).click()
    await page.getByText('You hold it until').waitFor()
    await page.getByRole('button', { name: 'Release' }).click()
    await page.getByRole('button', { name: 'Claim' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('a finding is corrected and approved, and the research completes with the correction', async () => {
    const { page, complaints } = await seated(agentEmail)
    await go(page, '/reviews')
    await page.getByRole('link', { name: 'Doubtful' }).click()
    await page.getByText('Correct it first').click()
    await page.getByRole('button', { name: 'Save corrections' }).click()
    await page.getByText('Nothing was corrected.').waitFor()
    await page.locator('#company_info-employees').fill('many')
    await page.getByRole('button', { name: 'Save corrections' }).click()
    await page.getByText('Employees must be a number.').waitFor()
    await page.locator('#company_info-employees').fill('4321')
    await page.getByLabel('Comment (optional)').fill('Checked on their site.')
    await page.getByRole('button', { name: 'Save corrections' }).click()
    await page.getByRole('heading', { name: 'Decided: edit' }).waitFor()
    await page.getByText('Checked on their site.').waitFor()
    const token = await world.tokenOf(doubtful.email)
    const results = await world.until('the results', async () => {
      const { body } = await world.call('GET', `/api/v1/research/${doubtful.organizationId}/results`, undefined, token)
      return body?.status === 'completed' ? body : null
    })
    expect(results.company_info.employees).toMatchObject({ value: 4321, source: 'human', confidence: 1 })
    expect(complaints).toEqual([])
  })

  test('a claim that is not served leaves deciding without one', async () => {
    const { page } = await seated(agentEmail)
    await page.route('**/api/v1/reviews/*/claim', (route) =>
      route.fulfill({
        status: 404,
        contentType: 'application/problem+json',
        body: '{"code":"not_found","detail":"There is nothing here."}',
      }),
    )
    await world.register('cal@undecided.example', 'Undecided', (tenantId) => world.assign(tenantId))
    await go(page, '/reviews')
    await page.getByRole('link', { name: 'Undecided' }).click()
    await headingIs(page, 'Undecided')
    await page.getByRole('button', { name: 'Claim' }).click()
    await page.getByText('Claims are not served here.').waitFor()
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(1)
  })

  const reviewsOf = async (email: string, status: string): Promise<{ review_id: string }[]> =>
    (await world.call('GET', `/api/v1/reviews?status=${status}`, undefined, await world.tokenOf(email))).body.items

  test('a timeline tells what happened over all topics, what caused what, and goes on by itself', async () => {
    const { page, complaints } = await seated(clear.email)
    await page.getByRole('link', { name: 'Clear' }).click()
    await headingIs(page, 'Clear')
    const events = page.locator('li.event')
    const named = (type: string) =>
      events.filter({ has: page.locator('.event-head > strong').getByText(type, { exact: true }) })
    await named('Research completed').waitFor()
    const topics = new Set(await events.locator('.event-head > .tag').allTextContents())
    expect([...topics]).toEqual(expect.arrayContaining(['auth', 'client', 'communication', 'research']))

    const completed = named('Research completed')
    await completed.getByRole('button').first().click()
    await completed.getByText('Caused by').waitFor()
    await completed.getByRole('button', { name: 'Organization created' }).click()
    const created = named('Organization created')
    await created.getByText('company name').first().waitFor()
    await created.getByRole('button', { name: 'Research completed' }).waitFor()

    const signup = named('Signup requested')
    await signup.getByRole('button').first().click()
    await signup.getByText(clear.email).waitFor()

    const before = await events.count()
    await world.tokenOf(clear.email)
    await page.waitForFunction((count) => document.querySelectorAll('li.event').length > count, before)
    await page.getByLabel('Show').selectOption('client_events')
    await named('Stage changed').first().waitFor()
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.event-head > .tag')].every((topic) => topic.textContent === 'client'),
    )
    expect(complaints).toEqual([])
  })

  test('a client sees its own company alone, and is told in one line what is for operators', async () => {
    const { page } = await seated(clear.email)
    await page.getByText('1 company').waitFor()
    expect(await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents()).toEqual([
      'Board',
      'Reviews',
    ])
    for (const place of ['/dead-letters', '/topics', '/topology']) {
      await go(page, place)
      await page.getByText('This is for operators: the accounts that CONSOLE_OPERATORS names.').first().waitFor()
    }
    await go(page, `/companies/${foreign.organizationId}`)
    await page.getByText('There is no such thing.').waitFor()
  })

  test('an operator processes a poisoned key again, and skips what cannot be read', async () => {
    const { page, complaints } = await seated(operatorEmail)
    await page.getByRole('link', { name: 'Dead letters' }).click()
    const blocked = page.locator('.blocked').filter({ has: page.getByRole('heading', { name: /^research / }) })
    await blocked.getByText('bad_frame').waitFor()
    await page.locator('#letters').getByText('research_events.dlq').first().waitFor()
    await blocked.getByRole('button', { name: 'Process again' }).click()
    await page.getByText('research: the first record failed again; 1 record still waiting.').first().waitFor()
    await blocked.getByRole('button', { name: 'Skip the first record' }).click()
    await blocked.getByRole('button', { name: 'Yes, skip it for good' }).click()
    await page.getByText('research: nothing waits under this key any more.').first().waitFor()
    await page.waitForFunction(
      () => ![...document.querySelectorAll('.blocked h3')].some((head) => head.textContent.startsWith('research ')),
    )
    expect(complaints).toEqual([])
  })

  test('the topic browser shows any tenant’s events without what is about persons, and finds a place', async () => {
    const { page, complaints } = await seated(operatorEmail)
    await page.getByRole('link', { name: 'Topics' }).click()
    await page.locator('details.record').first().waitFor()
    await page.getByLabel('Topic', { exact: true }).selectOption('auth_events')
    const { partition, offset } = await signUpOf(foreign)
    await page.getByLabel('Partition').selectOption(String(partition))
    await page.getByLabel('From offset').fill(offset)
    await page.getByRole('button', { name: 'Show' }).click()
    const record = page.locator('details.record').filter({ hasText: 'Signup requested' }).first()
    await record.locator('summary').click()
    await record.getByText(`${foreign.tenantId}|${foreign.organizationId}`, { exact: true }).waitFor()
    await record.getByText('personal').first().waitFor()
    await record.getByText('Foreign', { exact: true }).waitFor()
    expect(await page.content()).not.toContain(foreign.email)
    await page.getByLabel('or from time').fill('2020-01-01T00:00:00')
    await page.getByRole('button', { name: 'Show' }).click()
    await page.locator('details.record').first().getByText('0', { exact: true }).waitFor()
    expect(complaints).toEqual([])
  })

  const signUpOf = async ({ tenantId }: Organization): Promise<{ partition: number; offset: string }> => {
    const [row] = await world.sql(
      `select src_part, src_offset from lifecycle.timeline_auth_events where tenant_id = $1 and event_type = 'signup_requested'`,
      [tenantId],
    )
    return { partition: row.src_part, offset: row.src_offset }
  }

  test('the topology is drawn with every application and topic, with state and lag that follow', async () => {
    const { page, complaints } = await seated(operatorEmail)
    await page.getByRole('link', { name: 'Topology' }).click()
    for (const name of ['research', 'lifecycle-saga', 'review-queue', 'communication', 'effects']) {
      await page.locator(`.graph .application[data-id="app ${name}"]`).getByText('running, lag').waitFor()
      const row = page.locator(`tr[data-application="${name}"]`)
      expect(await row.locator('.lag').textContent()).toMatch(/^\d+$/)
    }
    await page.locator('.graph .topic[data-id="topic research_events"]').waitFor()
    const processed = page.locator('tr[data-application="research"] .processed')
    const before = Number((await processed.textContent())!.replaceAll(',', ''))
    await world.register('more@work.example', 'More Work')
    await page.waitForFunction(
      (count) =>
        Number(document.querySelector('tr[data-application="research"] .processed')!.textContent.replaceAll(',', '')) >
        count,
      before,
    )
    await page.locator('#inside-effects > summary').click()
    await page.locator('#inside-effects .store').first().waitFor()
    await page.locator('.chart canvas').waitFor()
    // What belongs together stands out: an application's own lines, and those of a topic.
    await page.locator('.graph.map [data-id="app research"]').hover()
    const lit = await page
      .locator('.graph.map .edge.on')
      .evaluateAll((edges) => edges.map((edge) => edge.getAttribute('data-application')))
    expect(new Set(lit)).toEqual(new Set(['research']))
    expect(lit.length).toBeGreaterThan(2)
    expect(complaints).toEqual([])
  })

  test('what time it is, the platform says: deadlines are of its time, not of this machine', async () => {
    const aheadMs = 15 * 3_600_000
    const { page, complaints } = await sit()
    await page.route('**/api/v1/**', async (route) => {
      if (route.request().url().includes('/stream')) return route.continue()
      const response = await route.fetch()
      const time = new Date(Date.now() + aheadMs).toISOString()
      await route.fulfill({ response, headers: { ...response.headers(), 'business-time': time } })
    })
    const late = await world.register('tim@late.example', 'Late', (tenantId) => world.assign(tenantId))
    await logIn(page, agentEmail)
    const card = page.locator(`[data-id="${late.organizationId}"]`)
    await card.getByText('15 h ago').waitFor()
    await page.locator('.business-time').getByText('Business time').waitFor()
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.reload()
    await card.getByText(/^(now|\d+ s ago|1 min ago)$/).waitFor()
    expect(await page.locator('.business-time').isVisible()).toBe(false)
    expect(complaints).toEqual([])
  })

  test('what came between the first look and the first news is there, and a row that came after its event too', async () => {
    const { page } = await seated(agentEmail)
    let [listen, answered]: [() => void, number] = [() => undefined, 0]
    const mayListen = new Promise<void>((resolve) => (listen = resolve))
    await page.route('**/api/v1/stream**', async (route) => {
      await mayListen
      await route.continue()
    })
    await page.route('**/api/v1/reviews?**', async (route) => {
      const isBehind = route.request().url().includes('min_position') && answered++ === 0
      if (!isBehind) return route.continue()
      const json = { title: 'Not yet visible', status: 504, code: 'not_yet_visible', detail: 'Not yet.' }
      await route.fulfill({ status: 504, contentType: 'application/problem+json', json })
    })
    await go(page, '/reviews')
    await page.locator('ul.queue, .empty').first().waitFor()
    const waits = async (name: string): Promise<void> => {
      const one = await world.register(`ola@${name.toLowerCase()}.example`, name, (tenantId) => world.assign(tenantId))
      const token = await world.tokenOf(agentEmail)
      const path = `/api/v1/reviews?status=waiting&organization_id=${one.organizationId}`
      await world.until(`review of ${name}`, async () => {
        const { body } = await world.call('GET', path, undefined, token)
        return body.items.length > 0 ? true : null
      })
    }
    const heading = (name: string) => page.getByRole('heading', { level: 2, name })
    await waits('Between')
    expect(await heading('Between').count()).toBe(0)
    listen()
    await heading('Between').waitFor()
    await waits('Behind')
    await heading('Behind').waitFor()
    expect(answered).toBeGreaterThan(0)
  }, 90_000)

  test('a process that runs some of the tasks says that it shows the keys of these', async () => {
    const { page } = await seated(operatorEmail)
    await page.route('**/api/v1/operator/blocked', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...(await response.json()), tasks: 4 } })
    })
    const all = (await world.call('GET', '/api/v1/operator/blocked', undefined, await world.tokenOf(operatorEmail)))
      .body
    expect(all.tasks).toBe(all.tasks_in_all)
    await go(page, '/dead-letters')
    await page.getByText(`This process runs 4 of ${String(all.tasks_in_all)} tasks`).waitFor()
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.reload()
    await page.locator('#letters').getByText('projection').first().waitFor()
    expect(await page.getByText('This process runs').count()).toBe(0)
  })

  describe('how it behaves', () => {
    const agentPlaces = async (): Promise<string[]> => {
      const [review] = await reviewsOf(agentEmail, 'all')
      return ['', `/companies/${clear.organizationId}`, '/reviews', `/reviews/${String(review!.review_id)}`, '/nothing']
    }

    test.each([
      { width: 1440, scheme: 'light' },
      { width: 1440, scheme: 'dark' },
      { width: 390, scheme: 'light' },
      { width: 390, scheme: 'dark' },
    ] as const)(
      'no page overflows, complains or has a serious finding of axe, contrast included: $width px, $scheme',
      async (options) => {
        const findings: string[] = []
        const look = async (page: Page, place: string): Promise<void> => {
          await page.locator('.loading, [aria-busy=true]').first().waitFor({ state: 'detached' })
          await page.waitForTimeout(300)
          findings.push(...(await findingsOn(page)).map((finding) => `${place}: ${finding}`))
        }
        const door = await sit(options)
        await look(door.page, 'door')
        for (const [email, places] of [
          [agentEmail, await agentPlaces()],
          [operatorEmail, ['/dead-letters', '/topics', '/topology']],
        ] as const) {
          const { page, complaints } = await seated(email, options)
          for (const place of places) {
            await page.evaluate((to) => {
              history.pushState(null, '', `/console${to}`)
              dispatchEvent(new Event('navigate'))
            }, place)
            await page.locator('main h1').waitFor()
            await look(page, place)
            // What is folded is looked at as well: an event, a record, an application's inside.
            const folded = page
              .locator('li.event > button, details.record > summary, .parts > details > summary')
              .first()
            if ((await folded.count()) === 0) continue
            await folded.click()
            await look(page, `${place}, unfolded`)
          }
          findings.push(...complaints)
        }
        expect(findings).toEqual([])
      },
      180_000,
    )

    test('by keyboard: a way to skip, links in order, and a visible focus', async () => {
      const { page } = await seated(agentEmail)
      await page.reload()
      await headingIs(page, 'Lifecycle board')
      const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent?.trim() ?? '')
      const seen: string[] = []
      for (let n = 0; n < 5; n++) {
        await page.keyboard.press('Tab')
        seen.push(await focused())
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
        expect(outline, seen.at(-1)).not.toBe('none')
      }
      expect(seen).toEqual(['Skip to the page', 'Lifecycle', 'Board', 'Reviews', 'Log out'])
      await page.keyboard.press('Tab')
      await page.getByRole('link', { name: 'Reviews', exact: true }).focus()
      await page.keyboard.press('Enter')
      await headingIs(page, 'Reviews')
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
    })

    /** On by the tab key alone, to what has this text; whatever has the focus on the way shows it. */
    const tabTo = async (page: Page, text: string | RegExp): Promise<void> => {
      const passed: string[] = []
      for (let n = 0; n < 250; n++) {
        await page.keyboard.press('Tab')
        const { name, shows } = await page.evaluate(() => {
          const active = document.activeElement!
          const label = (active as HTMLInputElement).labels?.[0]?.textContent
          const seen = (style: CSSStyleDeclaration): boolean =>
            style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2
          const box = active.querySelector('.node > rect')
          return {
            name: (label ?? active.getAttribute('aria-label') ?? active.textContent ?? '').trim(),
            shows:
              active === document.body ||
              seen(getComputedStyle(active)) ||
              seen(getComputedStyle(active, '::after')) ||
              (box !== null && getComputedStyle(box).strokeWidth === '3px'),
          }
        })
        expect(shows, `the focus on ${name}`).toBe(true)
        if (typeof text === 'string' ? name === text : text.test(name)) return
        passed.push(name)
      }
      throw new Error(`the tab key does not come to ${String(text)}, but ${passed.slice(0, 40).join(' | ')}`)
    }

    test('by keyboard alone: logged in, a company found, its events and causes, a review claimed and given back', async () => {
      const { page, complaints } = await sit()
      await page.keyboard.type(agentEmail)
      await tabTo(page, 'Password')
      await page.keyboard.type(world.passwordOf(agentEmail))
      await page.keyboard.press('Enter')
      await headingIs(page, 'Lifecycle board')
      await tabTo(page, 'Find a company')
      await page.keyboard.type('clear.exam')
      await tabTo(page, 'Clear')
      await page.keyboard.press('Enter')
      await headingIs(page, 'Clear')
      await tabTo(page, /^\d\d:\d\d:\d\d ?Research completed/)
      await page.keyboard.press('Enter')
      await page.getByText('Caused by').waitFor()
      await tabTo(page, 'Organization created')
      await page.keyboard.press('Enter')
      await page.waitForFunction(() => document.activeElement?.textContent?.includes('Organization created') === true)
      expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-expanded'))).toBe('true')
      await world.register('kim@keys.example', 'Keys', (tenantId) => world.assign(tenantId))
      await page.reload()
      await headingIs(page, 'Clear')
      await tabTo(page, 'Reviews')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 2, name: 'Keys' }).waitFor()
      await tabTo(page, 'Keys')
      await page.keyboard.press('Enter')
      await headingIs(page, 'Keys')
      await tabTo(page, 'Claim')
      await page.keyboard.press('Enter')
      await page.getByText('You hold it until').waitFor()
      await tabTo(page, 'Release')
      await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Claim' }).waitFor()
      expect(complaints).toEqual([])
    }, 60_000)

    test('by keyboard alone: a blocked key tried again, a record looked at, an application opened', async () => {
      const { page, complaints } = await seated(operatorEmail)
      await go(page, '/dead-letters')
      await page.locator('.blocked').first().waitFor()
      await tabTo(page, 'Process again')
      await page.keyboard.press('Enter')
      await page
        .getByText(/the first record failed again/)
        .first()
        .waitFor()
      await go(page, '/topics')
      await page.locator('details.record').first().waitFor()
      await tabTo(page, 'Topic')
      await tabTo(page, /^\d+ ?[A-Z]/)
      await page.keyboard.press('Enter')
      await page.locator('details.record[open]').getByText('Payload').waitFor()
      await go(page, '/topology')
      await page.locator('.graph.map').waitFor()
      await tabTo(page, /^lifecycle-saga/)
      await page.keyboard.press('Enter')
      await page.locator('#inside-lifecycle-saga[open]').waitFor()
      expect(await page.evaluate(() => document.activeElement?.parentElement?.id)).toBe('inside-lifecycle-saga')
      expect(complaints).toEqual([])
    }, 60_000)

    test('the first page is light, and nothing comes from elsewhere', async () => {
      const { page, context } = await sit()
      const client = await context.newCDPSession(page)
      await client.send('Network.enable')
      let bytes = 0
      client.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
      const addresses: string[] = []
      page.on('request', (request) => addresses.push(request.url()))
      await client.send('Network.setCacheDisabled', { cacheDisabled: true })
      await page.reload()
      await logIn(page, agentEmail)
      await page.locator('.board article').first().waitFor()
      expect(bytes).toBeGreaterThan(5_000)
      expect(bytes).toBeLessThan(200_000)
      expect(addresses.filter((address) => !address.startsWith(world.url))).toEqual([])
      expect(addresses.filter((address) => address.includes('/vendor/'))).toEqual([])
    })

    test('what the server does not answer is a sentence with a way to try again', async () => {
      const { page } = await seated(agentEmail)
      let asked = 0
      await page.route('**/api/v1/reviews?*', (route) => {
        asked += 1
        return route.abort()
      })
      await go(page, '/reviews')
      await page.getByText('The platform does not answer.').waitFor()
      const before = asked
      const again = page.getByRole('button', { name: 'Try again' })
      await again.click()
      await expect.poll(() => asked).toBeGreaterThan(before)
      await page.getByText('The platform does not answer.').waitFor()
      await page.unroute('**/api/v1/reviews?*')
      // News of a review may have it read before anybody presses: the button is gone then.
      await again.click({ timeout: 2_000 }).catch(() => undefined)
      await page
        .getByText(/waiting for a person|Nothing waits/)
        .first()
        .waitFor()
    })
  })
})
