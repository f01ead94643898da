/**
 * WebScraper.io: `scrape` runs one scraping job over the company's pages and reads the text that comes back. There is no
 * idempotency key; the call id travels as the job's `custom_id`, and every call first looks for a job that carries it:
 * after a crash, or when an earlier attempt ran out of time, the job that runs already is waited for, not paid twice.
 *
 * All jobs use one sitemap (what to read on a page); the pages come with the job. Job order in the list is taken to be
 * newest first, so the look-up reads a few pages of it only.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { CallOutcome, Provider, ProviderCall } from '../effects/port.ts'
import type { HttpAnswer, HttpCall } from '../http/index.ts'
import { failedOutcome, httpCall, parseJson } from '../http/index.ts'
import type { ResearchQuestion } from './answer.ts'
import { boundAnswer, readQuestion } from './answer.ts'
import { claimsFrom } from './extract.ts'
import type { Document } from './extract.ts'
import type { ResearchProviderSettings } from './settings.ts'
import { defaultConcurrency, defaultMaxBytes } from './settings.ts'

export interface WebScraperSettings extends ResearchProviderSettings {
  /** Pause between two looks at a running job; 5,000 ms unless told (the account has 200 calls in 15 minutes). */
  readonly pollMs?: number
  /** Further pages to read, `{company}` replaced by the name: directories that list competitors. None unless told. */
  readonly directories?: readonly string[]
}

const sitemapName = 'lifecycle-research-v1'
const ownPages = ['', 'about', 'pricing', 'compare', 'integrations']
const lookupPages = 5

/** An exchange that ends the call: carried up as a value of this type, caught in one place. */
class CallEnds extends Error {
  readonly outcome: CallOutcome
  constructor(outcome: CallOutcome) {
    super(outcome.error)
    this.outcome = outcome
  }
}

export function webScraperProvider(settings: WebScraperSettings): Provider {
  let sitemap: Promise<number> | null = null
  const sitemapOnce = async (account: Account): Promise<number> => {
    sitemap ??= ensureSitemap(account)
    try {
      return await sitemap
    } catch (failure) {
      sitemap = null
      throw failure
    }
  }
  return Object.freeze({
    name: 'webscraper',
    account: settings.mode,
    mode: settings.mode,
    repeat: 'lookup-first' as const,
    rate: settings.rate,
    concurrency: settings.concurrency ?? defaultConcurrency,
    timeoutMs: settings.timeoutMs,
    async call(call: ProviderCall): Promise<CallOutcome> {
      if (call.operation !== 'scrape') return refused('webscraper has no such operation')
      const question = readQuestion(call.request)
      if (question === null) return refused('the request is not a research question')
      const pages = startUrls(settings, question)
      if (pages.length === 0) return refused('the company has no domain, so there is no page to read')
      try {
        const deadline = AbortSignal.any([call.signal, AbortSignal.timeout(settings.timeoutMs)])
        const account = { settings, signal: call.signal, deadline }
        return await scrape(account, await sitemapOnce(account), call.callId, question, pages)
      } catch (failure) {
        if (failure instanceof CallEnds) return failure.outcome
        throw failure
      }
    },
  })
}

const refused = (error: string): CallOutcome => ({ class: 'invalid', status: 0, output: null, error })

interface Account {
  readonly settings: WebScraperSettings
  readonly signal: AbortSignal
  readonly deadline: AbortSignal
}

async function scrape(
  account: Account,
  sitemapId: number,
  callId: string,
  question: ResearchQuestion,
  pages: readonly string[],
): Promise<CallOutcome> {
  const known = await findJob(account, sitemapId, callId)
  const id = known ?? (await createJob(account, sitemapId, callId, pages))
  await jobDone(account, id)
  const documents = await rows(account, id)
  const found = { searched: documents.length > 0, claims: claimsFrom(question, documents) }
  return { class: 'ok', status: 200, output: boundAnswer(question, found), costMicrodollars: 0 }
}

const idReply = z.object({ data: z.object({ id: z.number() }) })
const namedPage = z.object({ data: z.array(z.object({ id: z.number(), name: z.string() })), last_page: z.number() })
const job = z.object({ id: z.number(), custom_id: z.string().nullish(), status: z.string() })
const jobPage = z.object({ data: z.array(job), last_page: z.number() })

/** Reads the sitemap's id, or creates it: the title and the visible text of every page. */
async function ensureSitemap(account: Account): Promise<number> {
  for (let page = 1, last = 1; page <= Math.min(last, lookupPages); page++) {
    const listed = await exchange(account, 'GET', '/sitemaps', namedPage, { query: { page: String(page) } })
    const found = listed.data.find((sitemap) => sitemap.name === sitemapName)
    if (found !== undefined) return found.id
    last = listed.last_page
  }
  const text = { type: 'SelectorText', parentSelectors: ['_root'], multiple: false, regex: '' }
  const json = {
    _id: sitemapName,
    startUrl: ['https://example.com/'],
    selectors: [
      { ...text, id: 'title', selector: 'title' },
      { ...text, id: 'text', selector: 'body' },
    ],
  }
  return (await exchange(account, 'POST', '/sitemap', idReply, { json })).data.id
}

/** The job that carries this call's id and did not fail. */
async function findJob(account: Account, sitemapId: number, callId: string): Promise<number | null> {
  for (let page = 1, last = 1; page <= Math.min(last, lookupPages); page++) {
    const query = { sitemap_id: String(sitemapId), page: String(page) }
    const listed = await exchange(account, 'GET', '/scraping-jobs', jobPage, { query })
    const found = listed.data.find((job) => job.custom_id === callId && job.status !== 'failed')
    if (found !== undefined) return found.id
    last = listed.last_page
  }
  return null
}

async function createJob(
  account: Account,
  sitemapId: number,
  callId: string,
  pages: readonly string[],
): Promise<number> {
  const json = {
    sitemap_id: sitemapId,
    driver: 'fast',
    page_load_delay: 2000,
    request_interval: 2000,
    start_urls: pages,
    custom_id: callId,
  }
  return (await exchange(account, 'POST', '/scraping-job', idReply, { json })).data.id
}

/** Waits until there is something to read. `shelved` has missing pages, what it has is read. */
async function jobDone(account: Account, id: number): Promise<void> {
  for (;;) {
    const { status } = (await exchange(account, 'GET', `/scraping-job/${id}`, z.object({ data: job }))).data
    if (status === 'finished' || status === 'shelved') return
    if (status === 'failed') throw new CallEnds(ended('retry', 'could not read most of the pages'))
    if (status === 'stopped') throw new CallEnds(ended('invalid', 'had the job stopped by hand'))
    await sleep(account.settings.pollMs ?? 5_000, undefined, { signal: account.deadline }).catch(() => undefined)
    if (account.deadline.aborted) throw new CallEnds(ended('retry', 'has not finished the job yet'))
  }
}

const ended = (as: 'retry' | 'invalid', words: string): CallOutcome => ({
  class: as,
  status: 200,
  output: null,
  error: `webscraper ${words}`,
})

const row = z.object({ 'web-scraper-start-url': z.string(), title: z.string().nullish(), text: z.string().nullish() })

/** The job's rows: newline-delimited JSON. A row that cannot be read is passed over, a cut body is not accepted. */
async function rows(account: Account, id: number): Promise<Document[]> {
  const http = await send(account, 'GET', `/scraping-job/${id}/json`, {})
  if (http.kind === 'failure' || http.status !== 200) throw new CallEnds(failure(account, http))
  return http.body.split('\n').flatMap((line) => {
    const read = row.safeParse(parseJson(line))
    if (!read.success) return []
    const { title, text } = read.data
    return [{ url: read.data['web-scraper-start-url'], title: title ?? '', text: text ?? '', date: null }]
  })
}

export function startUrls(settings: Pick<WebScraperSettings, 'directories'>, question: ResearchQuestion): string[] {
  const own = question.domain === null ? [] : ownPages.map((page) => `https://${question.domain}/${page}`)
  const company = encodeURIComponent(question.company_name)
  return [...own, ...(settings.directories ?? []).map((url) => url.replaceAll('{company}', company))]
}

type Sent = { readonly query?: Readonly<Record<string, string>>; readonly json?: unknown }

async function exchange<T>(
  account: Account,
  method: HttpCall['method'],
  path: string,
  shape: z.ZodType<T>,
  sent: Sent = {},
): Promise<T> {
  const http = await send(account, method, path, sent)
  if (http.kind === 'failure' || http.status < 200 || http.status > 299) throw new CallEnds(failure(account, http))
  const read = shape.safeParse(parseJson(http.body))
  if (!read.success) throw new CallEnds(failure(account, http, 'gave an answer that cannot be read'))
  return read.data
}

function send(account: Account, method: HttpCall['method'], path: string, sent: Sent): Promise<HttpAnswer> {
  const query = new URLSearchParams({ ...sent.query, api_token: account.settings.apiKey })
  return httpCall({
    method,
    url: `${account.settings.baseUrl}${path}?${query.toString()}`,
    ...(sent.json === undefined ? {} : { json: sent.json }),
    timeoutMs: Math.min(account.settings.timeoutMs, 30_000),
    maxBytes: account.settings.maxBytes ?? defaultMaxBytes,
    signal: account.signal,
  })
}

function failure(account: Account, http: HttpAnswer, words?: string): CallOutcome {
  const now = (account.settings.now ?? Date.now)()
  return failedOutcome('webscraper', http, now, words === undefined ? {} : { words })
}
