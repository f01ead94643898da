/** What a browser says of itself, as far as it decides anything here. */

export type Device = 'desktop' | 'mobile' | 'tablet' | 'bot' | 'unknown'

/**
 * Robots that say so: crawlers, previews of links in chats and mail, scanners that open links before their reader does, and
 * programs. One that pretends to be a browser is told by what it does not do: it touches nothing.
 */
const robot =
  /bot\b|bot[/;)]|crawl|spider|slurp|preview|scan|monitor|headless|facebookexternalhit|whatsapp|embedly|skypeuri|lighthouse|proofpoint|barracuda|mimecast|safelinks|^(curl|wget|python|java|go-http|node|axios|okhttp|libwww|httpx)|phantomjs|puppeteer|playwright/i

export function deviceOf(userAgent: string): Device {
  if (userAgent.trim() === '') return 'bot' // every browser names itself
  if (robot.test(userAgent)) return 'bot'
  if (/ipad|tablet|kindle|silk|android(?!.*mobile)/i.test(userAgent)) return 'tablet'
  if (/iphone|ipod|mobile|android/i.test(userAgent)) return 'mobile'
  return /windows|macintosh|linux|cros|x11/i.test(userAgent) ? 'desktop' : 'unknown'
}
