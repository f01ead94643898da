/** How the documentation page looks, in light and in dark. */
export const docsStyle = `
:root{--ink:#1c2430;--soft:#5c6675;--line:#e3e7ec;--paper:#fff;--shade:#f5f7f9;--accent:#2457d6;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e3e8ef;--soft:#97a3b4;--line:#2b333f;--paper:#12161c;--shade:#1a2029;--accent:#8ab0ff}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);display:grid;grid-template-columns:14rem 1fr}
nav{position:sticky;top:0;height:100vh;padding:2rem 1.25rem;border-right:1px solid var(--line);display:flex;flex-direction:column;gap:.35rem;overflow:auto}
nav small{color:var(--soft);margin-bottom:1rem}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
main{padding:2rem clamp(1rem,4vw,4rem);max-width:62rem;min-width:0}
h1{margin:0 0 .5rem;font-size:1.9rem;letter-spacing:-.02em}
h2{margin:2.75rem 0 1rem;font-size:1.2rem;text-transform:capitalize}
.lead{color:var(--soft);max-width:46rem}
article{border:1px solid var(--line);border-radius:10px;padding:1rem 1.25rem;margin:0 0 1rem}
header{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center}
header p{margin:0}
code,pre{font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.path{font-size:15px;font-weight:600;overflow-wrap:anywhere}.path i{color:var(--accent);font-style:normal}
.m{font:700 12px/1 ui-monospace,Menlo,monospace;padding:.4em .6em;border-radius:5px;color:#fff;background:#5c6675}
.get{background:#1f7a4d}.post{background:#2457d6}.delete{background:#b3372f}.put,.patch{background:#8a5a00}
.auth{margin-left:auto;color:var(--soft);font-size:13px}
pre{background:var(--shade);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow:auto;margin:.75rem 0}
p code,td code{background:var(--shade);padding:.1em .35em;border-radius:4px}
table{border-collapse:collapse;width:100%;font-size:14px}
td{padding:.3rem .75rem .3rem 0;vertical-align:top;border-top:1px solid var(--line)}
td:first-child{width:1%;white-space:nowrap;font-weight:600}
.s2{color:#1f7a4d}.s4,.s5{color:#b3372f}
@media (prefers-color-scheme:dark){.s2{color:#6cd39c}.s4,.s5{color:#ff9a8f}}
summary{cursor:pointer;color:var(--soft);font-size:14px}
@media (max-width:50rem){body{display:block}nav{position:static;height:auto;border-right:0;border-bottom:1px solid var(--line)}}
`
