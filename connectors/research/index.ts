/** Research providers: the outside services that know something about a company. */
export * from './answer.ts'
export * from './settings.ts'
export { perplexityProvider } from './perplexity.ts'
export type { PerplexitySettings } from './perplexity.ts'
export { webScraperProvider } from './web-scraper.ts'
export type { WebScraperSettings } from './web-scraper.ts'
