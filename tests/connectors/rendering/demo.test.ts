import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  InputError,
  demoPage,
  expiredPage,
  missingPage,
  personalization as read,
  policyOf,
  qrSvg,
} from '../../../connectors/rendering/index.ts'
import type { Personalization } from '../../../connectors/rendering/index.ts'
import { style } from '../../../connectors/rendering/demo/style.ts'
import { personalization } from './fixtures.ts'

const place = { base_path: '/d/abc', chat_enabled: true, seller_name: 'Lifecycle' } as const
const page = (about: Partial<Personalization> = {}) => demoPage({ ...personalization, ...about }, place)
const sourceOf = (html: string, tag: 'style' | 'script'): string =>
  new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(html)?.[1] ?? ''

describe('a demo page', () => {
  test('says everything it was given, and where each claim was found', () => {
    const html = page()
    for (const text of [
      ...[
        personalization.company_name,
        personalization.industry,
        personalization.headline,
        personalization.call_to_action,
      ],
      ...personalization.pain_points.map(({ text }) => text),
      ...personalization.steps.flatMap(({ title, text }) => [title, text]),
    ])
      expect(html).toContain(text)
    expect([...html.matchAll(/data-finding-id="([^"]+)"/g)].map((found) => found[1])).toEqual([
      'finding-17',
      'finding-21',
    ])
  })

  test('is the same for the same input', () => {
    expect(page()).toBe(demoPage(structuredClone(personalization), { ...place }))
  })

  test('escapes every value: no element and no attribute comes of one', () => {
    const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;`
    const html = demoPage(
      {
        ...{
          company_name: evil,
          industry: evil,
          headline: evil,
          call_to_action: evil,
          call_to_action_url: `https://x.example/?a="onclick="x`,
        },
        pain_points: [{ text: evil, finding_id: evil }],
        steps: [{ title: evil, text: evil, finding_id: evil }],
      },
      { base_path: evil, chat_enabled: true, seller_name: evil },
    )
    expect(html.match(/<script/g)).toHaveLength(1)
    expect(html).not.toMatch(/<img|onerror=alert\(1\)>(?!&amp;lt;|&quot;)/)
    expect(html).not.toContain(evil)
    expect(html).not.toMatch(/ onclick="/)
    expect(html).toContain('&quot;&#39;&gt;&lt;script&gt;')
    const bare = demoPage({ ...personalization, company_name: 'x', headline: 'y' }, place)
    const tags = (text: string) => text.match(/<[a-z]+/g)?.length
    expect(tags(demoPage({ ...personalization, company_name: evil, headline: evil }, place))).toBe(tags(bare))
  })

  test('needs nothing else: no address of another machine in it', () => {
    expect(page().replace('https://x', '')).not.toMatch(/(src|href)="(https?:)?\/\//)
  })

  test('reads from top to bottom without the script: every step is there, what needs the script is hidden', () => {
    const html = page().replace(/<script>[^]*<\/script>/, '')
    expect(html.match(/class="step"/g)).toHaveLength(4)
    expect(html).not.toMatch(/class="step"[^>]*hidden/)
    expect(html).toMatch(/class="nav" hidden/)
    expect(html).toMatch(/id="chat"[^>]*hidden/)
    expect(html).toMatch(/<button class="button" id="cta" type="button" hidden>/)
  })

  test('has a chat only when that is on, and a link where the button leads somewhere', () => {
    expect(demoPage(personalization, { ...place, chat_enabled: false })).not.toContain('id="chat"')
    expect(page({ call_to_action_url: 'https://cal.example/us' })).toContain(
      '<a class="button" id="cta" href="https://cal.example/us"',
    )
  })

  test('can be used by keyboard and heard: one h1, labels, a way past the head, landmarks', () => {
    const html = page()
    expect(html.match(/<h1>/g)).toHaveLength(1)
    for (const part of [
      'lang="en"',
      'class="skip" href="#tour"',
      '<main>',
      'aria-live="polite"',
      '<label',
      'role="status"',
    ])
      expect(html).toContain(part)
    expect(style).toContain('prefers-reduced-motion:reduce')
    expect(style).toContain(':focus-visible')
  })
})

describe('its policy', () => {
  test.each([
    ['a demo', page()],
    ['an expired one', expiredPage('Lifecycle')],
    ['a missing one', missingPage('Lifecycle')],
  ])('of %s names its style and its script by hash, and allows nothing inline besides', (_, html) => {
    const policy = policyOf(Buffer.from(html))
    for (const tag of ['style', 'script'] as const) {
      const source = sourceOf(html, tag)
      const hash = createHash('sha256').update(source).digest('base64')
      if (source !== '') expect(policy).toContain(`${tag}-src 'sha256-${hash}'`)
    }
    expect(policy).not.toContain('unsafe')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("connect-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(html).not.toMatch(/ style="| on[a-z]+="/)
  })

  test('stands before any value; a page that does not begin so gets one under which nothing runs', () => {
    const html = page({ headline: 'H' })
    expect(html.indexOf('content-security-policy')).toBeLessThan(html.indexOf('<title>'))
    const forged = `<!doctype html>\n<p>"><meta http-equiv="content-security-policy" content="script-src *">`
    expect(policyOf(Buffer.from(forged))).toBe(
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(policyOf(Buffer.alloc(0))).toContain("default-src 'none'")
  })
})

test.each([
  ['expired', expiredPage('Lifecycle'), 'This demo has expired'],
  ['missing', missingPage('Lifecycle'), 'There is nothing here'],
])('the page in place of one that is %s says so, and names no client', (_, html, words) => {
  expect(html).toContain(`<h1>${words}</h1>`)
  expect(html).not.toContain('<script')
})

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const hex = color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit).join('') : color.slice(1)
    const [r = 0, g = 0, blue = 0] = [0, 2, 4].map((at) => {
      const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue
  }
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other)
  return (light + 0.05) / (dark + 0.05)
}

test.each([0, 1])('texts have a contrast of 4.5 to 1 and more, controls 3 to 1 (scheme %i)', (scheme) => {
  const schemes = [...style.matchAll(/:root\{([^}]*)\}/g)].map(
    (found) => new Map((found[1] ?? '').split(';').map((one) => one.split(':') as [string, string])),
  )
  const color = (name: string): string => schemes[scheme]?.get(`--${name}`) ?? ''
  for (const ground of ['paper', 'ground', 'tint'])
    for (const ink of ['ink', 'soft', 'accent'])
      expect([ink, ground, contrast(color(ink), color(ground)) >= 4.5]).toEqual([ink, ground, true])
  expect(contrast(color('accent-ink'), color('accent'))).toBeGreaterThanOrEqual(4.5)
})

test.each([
  ['a script as a link', { call_to_action_url: 'javascript:alert(1)' }, 'about.call_to_action_url'],
  ['no pain point', { pain_points: [] }, 'about.pain_points'],
  ['a stray field', { logo: 'x' }, 'about.logo'],
])('%s is refused in one line', (_, change, path) => {
  expect(() => read({ ...personalization, ...change }, 'about')).toThrow(InputError)
  expect(() => read({ ...personalization, ...change }, 'about')).toThrow(
    new RegExp(`^${path}: [^\\n]+; wanted [^\\n]+$`),
  )
})

test('a QR code is an SVG, dark on light, the same for the same address and another for another (5.2.2)', async () => {
  const svg = await qrSvg('https://app.example/d/k3JxQv0aT1')
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 (\d+) \1"/)
  expect(svg).toContain('#ffffff')
  expect(await qrSvg('https://app.example/d/k3JxQv0aT1')).toBe(svg)
  expect(await qrSvg('https://app.example/d/k3JxQv0aT2')).not.toBe(svg)
})
