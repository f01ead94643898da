/**
 * What a demo page does in a browser: one step at a time, beacons, chat. The same text on every page, so that a policy can
 * name it by its hash; what differs stands in data attributes. Without it the page reads from top to bottom.
 *
 *   POST {base}/events   { type: view|step|cta|ping, session_id, step?, dwell_ms? }
 *   POST {base}/chat     { session_id, text }
 *   (a link that is pinned to a version tells events of that version: {base}/events?version=)
 *   GET  {base}/chat?session_id=   { messages: [{ role: user|assistant, text }] }
 */

export const script = `
(function () {
  'use strict'
  var body = document.body
  var base = body.dataset.base || location.pathname.replace(/\\/+$/, '')
  var pin = /^\\?version=\\d+$/.test(location.search) ? location.search : ''
  body.classList.add('js')

  function newId() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID()
    var bytes = crypto.getRandomValues(new Uint8Array(16))
    return Array.prototype.map.call(bytes, function (b) { return (b + 256).toString(16).slice(1) }).join('')
  }
  var session
  try {
    session = sessionStorage.getItem('demo-session')
    if (!session) sessionStorage.setItem('demo-session', (session = newId()))
  } catch (_) { session = newId() }

  function beacon(event) {
    event.session_id = session
    fetch(base + '/events' + pin, {
      method: 'POST', keepalive: true, credentials: 'omit',
      headers: { 'content-type': 'application/json' }, body: JSON.stringify(event)
    }).catch(function () {})
  }

  // Time that somebody looks: a page in the background does not count.
  var since = document.hidden ? null : performance.now()
  var dwelt = 0
  function dwell() {
    if (since !== null) { var now = performance.now(); dwelt += now - since; since = now }
    var whole = Math.round(dwelt)
    dwelt = 0
    return whole
  }
  document.addEventListener('visibilitychange', function () {
    if (document.hidden) { ping(); since = null } else since = performance.now()
  })

  var steps = Array.prototype.slice.call(document.querySelectorAll('.step'))
  var dots = Array.prototype.slice.call(document.querySelectorAll('.dots button'))
  var back = document.getElementById('back')
  var next = document.getElementById('next')
  var at = 0
  var seen = 0
  function show(index, focus) {
    at = index
    seen = Math.max(seen, index)
    steps.forEach(function (step, n) { step.hidden = n !== index })
    dots.forEach(function (dot, n) {
      if (n === index) dot.setAttribute('aria-current', 'step'); else dot.removeAttribute('aria-current')
      dot.toggleAttribute('data-done', n <= seen)
    })
    back.disabled = index === 0
    next.textContent = index === steps.length - 1 ? next.dataset.last : next.dataset.next
    if (focus) steps[index].focus({ preventScroll: true })
  }
  var told = {}
  function leave() {
    if (told[at]) return
    told[at] = true
    beacon({ type: 'step', step: at + 1, dwell_ms: dwell() })
  }
  function ping() {
    var ms = dwell()
    if (ms >= 500) beacon({ type: 'ping', step: at + 1, dwell_ms: ms })
  }
  document.querySelectorAll('.dots,.nav').forEach(function (part) { part.hidden = false })
  dots.forEach(function (dot, n) { dot.addEventListener('click', function () { leave(); show(n, true) }) })
  back.addEventListener('click', function () { if (at > 0) { leave(); show(at - 1, true) } })
  next.addEventListener('click', function () {
    leave()
    if (at < steps.length - 1) show(at + 1, true)
    else document.getElementById('end').focus()
  })
  document.getElementById('tour').addEventListener('keydown', function (event) {
    if (event.key === 'ArrowRight' && at < steps.length - 1) { leave(); show(at + 1, true) }
    if (event.key === 'ArrowLeft' && at > 0) { leave(); show(at - 1, true) }
  })
  show(0, false)

  var cta = document.getElementById('cta')
  cta.hidden = false
  cta.addEventListener('click', function () {
    beacon({ type: 'cta', dwell_ms: dwell() })
    if (cta.tagName === 'BUTTON') { cta.disabled = true; document.getElementById('thanks').hidden = false }
  })

  beacon({ type: 'view' })
  setInterval(function () { if (!document.hidden) ping() }, 15000)

  var chat = document.getElementById('chat')
  if (!chat) return
  chat.hidden = false
  var log = document.getElementById('log')
  var form = document.getElementById('say')
  var input = form.elements.namedItem('text')
  var shown = 0
  var pending = 0
  var timer = null
  function add(role, text) {
    var line = document.createElement('p')
    line.dataset.role = role
    line.textContent = text
    log.appendChild(line)
    log.scrollTop = log.scrollHeight
    return line
  }
  function render(messages, all) {
    // What was said here is already there: only what came from the other side, and only once.
    var answers = messages.filter(function (message) { return message && message.role === 'assistant' })
    var fresh = answers.slice(shown)
    ;(all ? messages : fresh).forEach(function (message) { add(message.role === 'user' ? 'user' : 'assistant', String(message.text)) })
    if (fresh.length > 0) pending = 0
    shown = Math.max(shown, answers.length)
  }
  function poll(tries, all) {
    clearTimeout(timer)
    fetch(base + '/chat?session_id=' + encodeURIComponent(session), { credentials: 'omit', headers: { accept: 'application/json' } })
      .then(function (answer) { if (!answer.ok) throw new Error(String(answer.status)); return answer.json() })
      .then(function (answer) { render(answer.messages || [], all) })
      .catch(function () {})
      .then(function () {
        if (pending && tries > 0) timer = setTimeout(function () { poll(tries - 1) }, 1500)
        else if (pending) { pending = 0; add('note', chat.dataset.late) }
      })
  }
  poll(0, true) // what was said before the page was loaded again
  form.addEventListener('submit', function (event) {
    event.preventDefault()
    var text = input.value.trim()
    if (!text) return
    var line = add('user', text)
    input.value = ''
    fetch(base + '/chat', {
      method: 'POST', credentials: 'omit',
      headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session_id: session, text: text })
    }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status))
      pending += 1
      poll(40)
    }).catch(function () {
      log.removeChild(line)
      if (!input.value) input.value = text
      add('note', chat.dataset.failed)
    })
  })
})()
`.trim()
