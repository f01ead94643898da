/** The look of a demo page and of the pages in its place. Colours hold 4.5 : 1 on what they stand on, in light and in dark. */

export const style = `
:root{--ink:#151b2c;--soft:#515b70;--line:#dfe4ee;--paper:#fff;--ground:#f5f7fb;--accent:#1d4ed8;--accent-ink:#fff;--tint:#e8eefc;--radius:16px;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#eef1f8;--soft:#b3bcd0;--line:#2c3550;--paper:#171e33;--ground:#0e1424;--accent:#9db8ff;--accent-ink:#0e1424;--tint:#1f2a4a}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);font:400 1.0625rem/1.6 Inter,ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans","Hiragino Sans","Noto Sans CJK JP",sans-serif;overflow-wrap:anywhere}
[hidden]{display:none!important}
a{color:var(--accent)}
h1,h2,h3{line-height:1.18;letter-spacing:-.015em;text-wrap:balance;margin:0}
h1{font-size:clamp(2rem,1.3rem + 3.4vw,3.5rem);font-weight:750}
h2{font-size:clamp(1.4rem,1.15rem + 1.2vw,2rem);font-weight:700}
p{margin:0;text-wrap:pretty}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:6px}
.skip{position:absolute;left:-999px;top:8px;background:var(--paper);padding:.6rem 1rem;border-radius:8px;z-index:5}
.skip:focus{left:12px}
.wrap{width:min(100% - 2.5rem,68rem);margin-inline:auto}
.top{display:flex;justify-content:space-between;align-items:center;gap:1rem;padding-block:1.25rem;font-size:.95rem}
.brand{font-weight:700;display:flex;align-items:center;gap:.65rem}
.brand::before{content:"";width:.35rem;height:1.35rem;border-radius:3px;background:var(--accent)}
.for{color:var(--soft)}
.hero{padding-block:clamp(2rem,6vw,5rem) clamp(2rem,5vw,4rem)}
.eyebrow{color:var(--accent);font-weight:650;font-size:.9rem;letter-spacing:.02em;margin-bottom:1rem}
.lead{color:var(--soft);font-size:1.2rem;max-width:40rem;margin-top:1.25rem}
.row{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:2rem}
.button{appearance:none;display:inline-flex;align-items:center;justify-content:center;min-height:3rem;padding:.65rem 1.35rem;border:1px solid transparent;border-radius:999px;background:var(--accent);color:var(--accent-ink);font:inherit;font-weight:650;text-decoration:none;cursor:pointer;transition:transform .15s,filter .15s}
.button:hover{filter:brightness(1.08);transform:translateY(-1px)}
.button[disabled]{opacity:.45;cursor:default;transform:none}
.button.quiet{background:transparent;color:var(--ink);border-color:var(--line)}
.pains{list-style:none;margin:1.5rem 0 0;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,16rem),1fr))}
.pains li{background:var(--paper);border:1px solid var(--line);border-radius:var(--radius);padding:1.35rem;display:flex;gap:.9rem}
.pains li::before{content:"";flex:none;width:.6rem;height:.6rem;margin-top:.5rem;border-radius:50%;background:var(--accent)}
.band{padding-block:clamp(2rem,5vw,4rem)}
.band+.band{padding-top:0}
.tour{background:var(--paper);border:1px solid var(--line);border-radius:calc(var(--radius) + 8px);margin-top:1.5rem;overflow:hidden}
.dots{list-style:none;display:flex;gap:.5rem;margin:0;padding:1.25rem clamp(1.25rem,4vw,2.5rem) 0}
.dots li{flex:1}
.dots button{width:100%;height:44px;padding:0;border:0;background:none;cursor:pointer;display:flex;align-items:center}
.dots button::before{content:"";width:100%;height:6px;border-radius:3px;background:var(--line);transition:background .2s}
.dots button[data-done]::before,.dots button[aria-current]::before{background:var(--accent)}
.step{padding:clamp(1.25rem,4vw,2.5rem);display:grid;gap:.75rem}
.step+.step{border-top:1px solid var(--line)}
.js .step+.step{border-top:0}
.js .step{min-height:15rem;align-content:center;animation:rise .35s both}
.js .step:focus{outline:none}
.count{color:var(--accent);font-weight:650;font-size:.9rem}
.step p:last-child{color:var(--soft);font-size:1.125rem;max-width:44rem}
.nav{display:flex;justify-content:space-between;gap:.75rem;padding:1rem clamp(1.25rem,4vw,2.5rem) 1.5rem;border-top:1px solid var(--line)}
.end{background:var(--tint);border-radius:calc(var(--radius) + 8px);padding:clamp(1.75rem,6vw,4rem);text-align:center;display:grid;justify-items:center;gap:1.25rem}
.end p{color:var(--soft)}
.chat{margin-top:1.5rem;background:var(--paper);border:1px solid var(--line);border-radius:var(--radius);display:flex;flex-direction:column;min-height:16rem;max-height:min(34rem,80vh)}
.log{padding:1.25rem;overflow-y:auto;flex:1;display:flex;flex-direction:column;gap:.7rem}
.log p{max-width:min(85%,34rem);padding:.65rem 1rem;border-radius:14px;background:var(--ground)}
.log p:not(:first-child){white-space:pre-wrap}
.log p:not([data-role=user],[data-role=note]){align-self:flex-start}
.log p[data-role=user]{align-self:flex-end;background:var(--accent);color:var(--accent-ink)}
.log p[data-role=note]{align-self:center;background:none;color:var(--soft);font-size:.95rem;text-align:center}
.say{display:flex;gap:.6rem;padding:.9rem;border-top:1px solid var(--line)}
.say input{flex:1;min-width:0;min-height:3rem;border:1px solid var(--soft);border-radius:999px;padding:.5rem 1.1rem;font:inherit;background:var(--paper);color:var(--ink)}
.foot{color:var(--soft);font-size:.9rem;padding-block:2rem 3rem;border-top:1px solid var(--line);margin-top:clamp(2rem,5vw,4rem)}
.alone{min-height:100svh;display:grid;place-content:center;justify-items:center;gap:1rem;text-align:center;padding:2rem}
.alone .mark{width:3.5rem;height:3.5rem;border-radius:50%;background:var(--tint);color:var(--accent);display:grid;place-items:center;font-weight:700;font-size:1.4rem}
.alone p{color:var(--soft);max-width:30rem}
.visually-hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@keyframes rise{from{opacity:0;transform:translateY(8px)}to{opacity:1;transform:none}}
@media (max-width:30rem){.nav .button{flex:1}.row .button{width:100%}.for{display:none}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}*,*::before{animation:none!important;transition:none!important}}
@media print{.nav,.dots,.chat,.row{display:none}.step[hidden]{display:grid!important}}
`.trim()
