/** WebScraper.io's cloud, for practice. Jobs are done at once; sitemaps and jobs outlive a restart. */

import { factsOf } from './companies.ts'
import type { Answer, Asked, StandIn } from './exchange.ts'
import { field, jsonAnswer, textField } from './exchange.ts'
import { Journal } from './journal.ts'
import type { SandboxRule } from './script.ts'

interface Sitemap {
  readonly kind: 'sitemap'
  readonly id: number
  readonly name: string
}

interface Job {
  readonly kind: 'job'
  readonly id: number
  readonly custom_id: string | null
  readonly sitemap_id: number
  readonly start_urls: readonly string[]
}

const jobsKept = 20_000
const perPage = 100

export interface WebScraperStandIn extends StandIn {
  close(): void
}

export function webScraper(path: string): WebScraperStandIn {
  const sitemaps = new Map<number, Sitemap>()
  const jobs = new Map<number, Job>()
  let lastId = 0
  const journal = new Journal<Sitemap | Job>({
    path,
    maxBytes: 32 * 1024 * 1024,
    known: (record) => {
      lastId = Math.max(lastId, record.id)
      if (record.kind === 'sitemap') sitemaps.set(record.id, record)
      else jobs.set(record.id, record)
      if (jobs.size > jobsKept) jobs.delete(jobs.keys().next().value!)
    },
  })
  const jobIn = (path: string): Job | undefined => jobs.get(Number(/^\/scraping-job\/(\d+)/.exec(path)?.[1]))

  function answer(operation: string, asked: Asked, told: SandboxRule['answer']): Answer {
    if ((asked.query.get('api_token') ?? '') === '') return { status: 401, body: error(401) }
    switch (operation) {
      case 'sitemaps':
        return page(
          asked,
          [...sitemaps.values()].map(({ id, name }) => ({ id, name })),
        )
      case 'create_sitemap': {
        const name = textField(asked.json, '_id')
        if (name === null) return { status: 400, body: error(400) }
        journal.append({ kind: 'sitemap', id: lastId + 1, name })
        return jsonAnswer(200, { success: true, data: { id: lastId } })
      }
      case 'jobs': {
        const sitemap = asked.query.get('sitemap_id')
        const listed = [...jobs.values()].filter((job) => sitemap === null || job.sitemap_id === Number(sitemap))
        return page(asked, listed.reverse().map(wireJob))
      }
      case 'create_job':
        return createJob(asked)
      case 'job': {
        const job = jobIn(asked.path)
        return job === undefined
          ? { status: 404, body: error(404) }
          : jsonAnswer(200, { success: true, data: wireJob(job) })
      }
      default: {
        const job = jobIn(asked.path)
        if (job === undefined) return { status: 404, body: error(404) }
        return {
          status: 200,
          headers: { 'content-type': 'application/x-ndjson' },
          body: told === 'low_confidence' ? '' : rowsOf(job),
        }
      }
    }
  }

  function createJob(asked: Asked): Answer {
    const sitemap_id = field(asked.json, 'sitemap_id')
    if (typeof sitemap_id !== 'number' || !sitemaps.has(sitemap_id)) return { status: 400, body: error(400) }
    const urls = field(asked.json, 'start_urls')
    const start_urls = Array.isArray(urls) ? urls.map(String) : []
    const custom_id = textField(asked.json, 'custom_id')
    journal.append({ kind: 'job', id: lastId + 1, custom_id, sitemap_id, start_urls })
    return jsonAnswer(200, { success: true, data: { id: lastId, custom_id } })
  }

  return {
    name: 'webscraper',
    recognise(asked) {
      const operation = operationOf(asked)
      if (operation === null) return null
      const urls = operation === 'create_job' ? field(asked.json, 'start_urls') : jobIn(asked.path)?.start_urls
      return { operation, companies: [...new Set(Array.isArray(urls) ? urls.map((url) => hostOf(String(url))) : [])] }
    },
    answer,
    error,
    close: () => journal.close(),
  }
}

function operationOf({ method, path }: Asked): string | null {
  if (method === 'GET' && path === '/sitemaps') return 'sitemaps'
  if (method === 'POST' && path === '/sitemap') return 'create_sitemap'
  if (method === 'GET' && path === '/scraping-jobs') return 'jobs'
  if (method === 'POST' && path === '/scraping-job') return 'create_job'
  if (method === 'GET' && /^\/scraping-job\/\d+$/.test(path)) return 'job'
  if (method === 'GET' && /^\/scraping-job\/\d+\/json$/.test(path)) return 'rows'
  return null
}

const error = (status: number): string => JSON.stringify({ success: false, error: `The sandbox answers ${status}.` })

function page(asked: Asked, list: readonly unknown[]): Answer {
  const current = Math.max(1, Number(asked.query.get('page') ?? 1))
  const data = list.slice((current - 1) * perPage, current * perPage)
  const last_page = Math.max(1, Math.ceil(list.length / perPage))
  return jsonAnswer(200, {
    success: true,
    data,
    current_page: current,
    last_page,
    total: list.length,
    per_page: perPage,
  })
}

const wireJob = ({ id, custom_id, sitemap_id, start_urls }: Job) => ({
  id,
  custom_id,
  sitemap_id,
  sitemap_name: 'sandbox',
  status: 'finished',
  jobs_scheduled: start_urls.length,
  jobs_executed: start_urls.length,
  jobs_failed: 0,
  jobs_empty: 0,
  stored_record_count: start_urls.length,
})

/** A row per page: what a company says of itself there. */
function rowsOf(job: Job): string {
  const rows = job.start_urls.map((url, n) => {
    const domain = hostOf(url)
    const label = domain.split('.').at(-2) ?? domain
    const facts = factsOf({ name: label.charAt(0).toUpperCase() + label.slice(1), domain, industry: null })
    const texts: Readonly<Record<string, string>> = {
      '/pricing': facts.pages.find((page) => page.url.endsWith('/pricing'))?.snippet ?? '',
      '/compare': `Competitors include: ${facts.competitors.map(({ name }) => name).join(', ')}.`,
      '/integrations': `Works with ${facts.technologies.join(', ')}.`,
    }
    const text = texts[URL.canParse(url) ? new URL(url).pathname : ''] ?? facts.pages[0]?.snippet ?? ''
    return { 'web-scraper-order': `${job.id}-${n}`, 'web-scraper-start-url': url, title: facts.name, text }
  })
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '')
