/** What a person sees when the product is up: the address, and the first thing to try. */
export function banner(url: string, hasApi: boolean, tookMs: number): string {
  if (!hasApi)
    return `\nready after ${(tookMs / 1000).toFixed(1)} s; no API in this process: ${url}/health, /ready, /metrics\n`
  return [
    '',
    `ready after ${(tookMs / 1000).toFixed(1)} s at ${url}   (console: ${url}/console, the API described: ${url}/docs)`,
    '',
    'try:',
    `  curl -s ${url}/api/v1/auth/signup -H 'content-type: application/json' \\`,
    `    -d '{"email":"ada@stripe.com","password":"correct horse","company_name":"Stripe","first_name":"Ada","last_name":"Byron","industry":"Payments"}'`,
    `  curl -s '${url}/sandbox/mail?to=ada@stripe.com'`,
    '',
  ].join('\n')
}
