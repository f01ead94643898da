/** The one page of the console: a frame that its modules fill. Nothing in it is inline, so the policy allows nothing inline. */

import { stages, steps, topics } from '../../schemas/index.ts'
import type { Asset } from './assets.ts'

/** Only what this process serves, no markup made of strings (trusted types), and no frame around it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** @param base where the console is mounted, e.g. `/console` */
export function consolePage(base: string, assets: ReadonlyMap<string, Asset>): string {
  // All modules are asked for at once, not one import after the other; a page's own and the libraries when they are needed.
  const early = [...assets.keys()].filter((name) => name.endsWith('.js') && !/^(pages|vendor)\//.test(name))
  const preloads = early.map((name) => `<link rel="modulepreload" href="${base}/assets/${name}">`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Lifecycle console</title>
<link rel="icon" href="${base}/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}/assets/style.css">
${preloads.join('\n')}
<script type="module" src="${base}/assets/app.js"></script>
</head>
<body>
<div id="app" data-stages="${stages.join(' ')}" data-steps="${steps.join(' ')}" data-topics="${topics.map(({ name }) => name).join(' ')}"><noscript><p class="plain">The console needs JavaScript. The same data is in the API: <a href="/docs">its documentation</a>.</p></noscript></div>
</body>
</html>
`
}
