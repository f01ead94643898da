/**
 * `npm run pictures`: makes all pictures in docs/images. It starts a platform of its own in warped time, lets companies of
 * different fates go on to different places of their lifecycle, and looks at them in headless Chromium. Takes about two
 * minutes; ids and times differ from run to run, so what changed is to be looked at before it is kept.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import type { Company } from '../../examples/companies.ts'
import { companies } from '../../examples/companies.ts'
import { findChromium, launch } from '../browser/chromium.ts'
import type { Organization } from './world.ts'
import { agentEmail, operatorEmail, World } from './world.ts'

/** Files in docs/images, without their ending. */
export const pictures = [
  'console-board',
  'console-board-on-a-phone',
  'console-company',
  'console-company-on-a-phone',
  'console-dead-letters',
  'console-review',
  'console-review-on-a-phone',
  'console-reviews',
  'console-topics',
  'console-topology',
  'demo',
  'demo-on-a-phone',
  'proposal',
] as const
type Picture = (typeof pictures)[number]

export const images = fileURLToPath(new URL('../../docs/images/', import.meta.url))
export const largestBytes = 300_000
const require = createRequire(import.meta.url)

const desktop = { width: 1440, height: 900 }
const phone = { width: 390, height: 844 }

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const holder = 'pictures'

/** Companies that begin together, and how long business goes on before the next do. */
const waves: readonly { readonly count: number; readonly thenMs: number }[] = [
  { count: 9, thenMs: 8 * day },
  { count: 8, thenMs: 2 * day },
  { count: 6, thenMs: 4 * hour },
  { count: 5, thenMs: 45 * minute },
  { count: 4, thenMs: 0 },
]
const domains = companies.map(({ domain }) => domain)
/** Of the last to begin, some wait for a person, and their research with them. */
const doubtful = domains.slice(28, 31)
const rules = [
  { companies: doubtful, answer: 'low_confidence' },
  { provider: 'sendgrid', operation: 'visit', companies: [domains[10], domains[12], domains[18]], answer: 'ignores' },
  ...['NDA', 'Contract'].map((subject, index) => ({
    provider: 'docusign',
    operation: 'create_envelope',
    companies: [domains[3 + index * 4]],
    contains: `"emailSubject":"${subject} for `,
    answer: 'declines',
  })),
  { provider: 'stripe', operation: 'pay', companies: [domains[11], domains[14]], answer: 'never_pays' },
]

async function businessTime(world: World): Promise<number> {
  return Date.parse((await world.call('GET', '/sandbox/clock')).body.now)
}

async function hold(world: World, isHeld: boolean): Promise<void> {
  await world.call('POST', '/sandbox/clock', isHeld ? { hold: holder, for_ms: 600_000 } : { release: holder })
}

async function pass(world: World, ms: number): Promise<void> {
  const until = (await businessTime(world)) + ms
  await hold(world, false)
  while ((await businessTime(world)) < until) await new Promise((resolve) => setTimeout(resolve, 50))
  await hold(world, true)
}

async function fillWorld(world: World): Promise<readonly Organization[]> {
  await hold(world, true)
  await world.call('PUT', '/sandbox/script', rules)
  await world.register(operatorEmail, 'Lifecycle Operations')
  await world.hire(agentEmail)
  const all: Organization[] = []
  for (const { count, thenMs } of waves) {
    all.push(...(await signUp(world, companies.slice(all.length, all.length + count), (id) => world.assign(id))))
    if (thenMs > 0) await pass(world, thenMs)
    if (all.length === waves[0]!.count) await poisonOne(world, all[1]!)
  }
  const token = await world.tokenOf(agentEmail)
  await world.until('the reviews', async () => {
    const { items } = (await world.call('GET', '/api/v1/reviews', undefined, token)).body
    return items.length >= doubtful.length ? true : null
  })
  return all
}

/** A few at a time: what is hashed at once is bounded, and more is refused. */
async function signUp(
  world: World,
  list: readonly Company[],
  before?: (tenantId: string) => Promise<void>,
): Promise<Organization[]> {
  const made: Organization[] = []
  for (let at = 0; at < list.length; at += 3)
    made.push(
      ...(await Promise.all(
        list
          .slice(at, at + 3)
          .map(({ name, domain, industry }) => world.register(`ada@${domain}`, name, before, industry)),
      )),
    )
  return made
}

/** A record that nobody can read, and others behind it. */
async function poisonOne(world: World, { tenantId, organizationId }: Organization): Promise<void> {
  await world.poison('research_events', `${tenantId}|${organizationId}`, 3)
  await hold(world, true)
  await world.call('PUT', '/sandbox/script', rules)
}

class Camera {
  readonly #browser: Browser
  readonly #world: World
  constructor(browser: Browser, world: World) {
    this.#browser = browser
    this.#world = world
  }

  /** A page at the console, as this person; nobody is logged in without one. */
  async sit(email: string, size: typeof desktop): Promise<Page> {
    const page = await this.open(size)
    await page.goto(`${this.#world.url}/console`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByLabel('Password').fill(this.#world.passwordOf(email))
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('navigation', { name: 'Pages' }).waitFor()
    return page
  }

  async open(size: typeof desktop): Promise<Page> {
    const deviceScaleFactor = size === phone ? 2 : 1
    const context = await this.#browser.newContext({ viewport: size, deviceScaleFactor, locale: 'en-GB' })
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    return page
  }

  async go(page: Page, place: string): Promise<void> {
    await page.goto(`${this.#world.url}/console${place}`)
    await page.locator('main h1').waitFor()
    await page.locator('.loading, [aria-busy=true]').first().waitFor({ state: 'detached' })
  }

  async take(page: Page, name: Picture): Promise<void> {
    // What has just arrived is marked for a while, and what is under the pointer as long as it is.
    await page.mouse.move(1, 1)
    await page.waitForTimeout(1_000)
    const path = join(images, `${name}.png`)
    await page.screenshot({ path, animations: 'disabled' })
    const { size } = statSync(path)
    if (size > largestBytes) throw new Error(`${name}.png has ${String(size)} bytes, more than ${String(largestBytes)}`)
    console.log(`${name}.png, ${String(Math.ceil(size / 1_000))} kB`)
  }
}

async function agentPictures(camera: Camera, world: World): Promise<void> {
  const token = await world.tokenOf(agentEmail)
  const paid = (await world.call('GET', '/api/v1/lifecycle?stage=scoping&limit=200', undefined, token)).body.items
  const newest = (paid as { organization_id: string; stage_at: string }[]).toSorted((a, b) =>
    b.stage_at.localeCompare(a.stage_at),
  )[0]!
  const { items } = (await world.call('GET', '/api/v1/reviews', undefined, token)).body
  const review = String(items.find((item: { subject_type: string }) => item.subject_type === 'finding').review_id)
  for (const [size, end] of [
    [desktop, ''],
    [phone, '-on-a-phone'],
  ] as const) {
    const page = await camera.sit(agentEmail, size)
    await page.locator('.board article').first().waitFor()
    await camera.take(page, `console-board${end}`)
    await camera.go(page, `/companies/${newest.organization_id}?topic=client_events`)
    const event = page.locator('li.event').filter({ hasText: 'Billing → Scoping' }).first()
    await event.getByRole('button').first().click()
    await event.getByText('Led to').waitFor()
    await page.evaluate(() => scrollTo(0, 0))
    await camera.take(page, `console-company${end}`)
    if (size === desktop) {
      await camera.go(page, '/reviews')
      await camera.take(page, 'console-reviews')
    }
    await camera.go(page, `/reviews/${review}`)
    const claim = page.getByRole('button', { name: 'Claim' })
    if (await claim.isVisible()) await claim.click()
    await page.getByText('You hold it until').waitFor()
    await page.evaluate(() => scrollTo(0, 0))
    await camera.take(page, `console-review${end}`)
    await page.context().close()
  }
}

async function operatorPictures(camera: Camera, world: World): Promise<void> {
  const page = await camera.sit(operatorEmail, desktop)
  await camera.go(page, '/dead-letters')
  await page.locator('.blocked').first().waitFor()
  await camera.take(page, 'console-dead-letters')
  await camera.go(page, '/topics?topic=document_events')
  await page.locator('details.record').filter({ hasText: 'Document generated' }).first().locator('summary').click()
  await camera.take(page, 'console-topics')
  await camera.go(page, '/topology')
  await page.locator('.graph.map').waitFor()
  const more = signUp(world, companies.slice(40, 52))
  await page
    .locator('.edge.waits')
    .first()
    .waitFor({ state: 'attached' })
    .catch(() => undefined)
  await camera.take(page, 'console-topology')
  await more
  await page.context().close()
}

async function demoPictures(camera: Camera, world: World, { email }: Organization): Promise<void> {
  const token = await world.tokenOf(email)
  const [demo] = (await world.call('GET', '/api/v1/demos', undefined, token)).body.items
  for (const [size, name] of [
    [desktop, 'demo'],
    [phone, 'demo-on-a-phone'],
  ] as const) {
    const page = await camera.open(size)
    await page.goto(new URL(new URL(String(demo.url)).pathname, world.url).href)
    await page.locator('#tour').waitFor()
    await camera.take(page, name)
    await page.context().close()
  }
}

/** The first page of the proposal, drawn by pdf.js in the browser: no program of this machine is needed. */
async function proposalPicture(camera: Camera, world: World, { email }: Organization): Promise<void> {
  const token = await world.tokenOf(email)
  const list = (await world.call('GET', '/api/v1/documents', undefined, token)).body
  const { document_id } = list.items.find((item: { document_type: string }) => item.document_type === 'proposal')
  const answer = await fetch(`${world.url}/api/v1/documents/${String(document_id)}/download`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const files = new Map([
    [
      '/',
      Buffer.from(
        '<!doctype html><title>proposal</title><style>body{margin:0}canvas{display:block}</style><canvas></canvas>',
      ),
    ],
    ['/pdf.mjs', readFileSync(require.resolve('pdfjs-dist/build/pdf.min.mjs'))],
    ['/worker.mjs', readFileSync(require.resolve('pdfjs-dist/build/pdf.worker.min.mjs'))],
    ['/proposal.pdf', Buffer.from(await answer.arrayBuffer())],
  ])
  const page = await camera.open({ width: 794, height: 1123 })
  await page.route('http://proposal.test/**', (route) => {
    const path = new URL(route.request().url()).pathname
    const contentType = path.endsWith('.mjs') ? 'text/javascript' : path === '/' ? 'text/html' : 'application/pdf'
    return route.fulfill({ contentType, body: files.get(path) ?? Buffer.alloc(0) })
  })
  await page.goto('http://proposal.test/')
  await page.evaluate(`(async () => {
    const pdf = await import('/pdf.mjs')
    pdf.GlobalWorkerOptions.workerSrc = '/worker.mjs'
    const page = await (await pdf.getDocument({ url: new URL('/proposal.pdf', location.href).href }).promise).getPage(1)
    const canvas = document.querySelector('canvas')
    const viewport = page.getViewport({ scale: 794 / page.getViewport({ scale: 1 }).width })
    canvas.width = viewport.width
    canvas.height = viewport.height
    await page.render({ canvas, canvasContext: canvas.getContext('2d'), viewport }).promise
  })()`)
  await camera.take(page, 'proposal')
  await page.context().close()
}

/** The typeface of our documents stands for the system's own, so that pictures are alike on every machine. */
function ownFonts(directory: string): void {
  const inter = dirname(require.resolve('@expo-google-fonts/inter/package.json'))
  const path = join(directory, 'fonts.conf')
  writeFileSync(
    path,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>/usr/share/fonts</dir><dir>${inter}</dir>
<cachedir>${directory}</cachedir>
<alias><family>ui-monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
<alias><family>ui-sans-serif</family><prefer><family>Inter</family></prefer></alias>
<alias><family>system-ui</family><prefer><family>Inter</family></prefer></alias></fontconfig>`,
  )
  process.env['FONTCONFIG_FILE'] = path
}

async function main(): Promise<void> {
  const found = await findChromium()
  if ('lacks' in found) throw new Error(found.lacks)
  const directory = mkdtempSync(join(tmpdir(), 'pictures-'))
  mkdirSync(images, { recursive: true })
  ownFonts(directory)
  await using world = new World({ CLOCK: 'warp' })
  await world.start()
  const browser = await launch(found.path)
  try {
    console.log('companies sign up, and business days pass')
    const all = await fillWorld(world)
    const camera = new Camera(browser, world)
    const paid = all[0]!
    await agentPictures(camera, world)
    await operatorPictures(camera, world)
    // A demo is shown for two weeks: of somebody who began today.
    await demoPictures(camera, world, all[waves[0]!.count + waves[1]!.count + waves[2]!.count]!)
    await proposalPicture(camera, world, paid)
  } finally {
    await browser.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main)
  await main().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : String(error))
      process.exit(1)
    },
  )
