/** The way in. */

import { fill, h } from './dom.ts'
import { root } from './router.ts'
import { logIn } from './session.ts'

/** @param said why the form is shown, when there is a reason */
export function loginForm(said: string | null, entered: () => void): HTMLElement {
  const email = h('input', { id: 'email', name: 'email', type: 'email', autocomplete: 'username', required: true })
  const password = h('input', {
    id: 'password',
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
  })
  const button = h('button', { type: 'submit', class: 'primary' }, 'Log in')
  const message = h('p', { class: 'form-message', role: 'alert' })

  async function submit(): Promise<void> {
    button.disabled = true
    message.textContent = ''
    const why = await logIn(email.value, password.value)
    button.disabled = false
    if (why === null) entered()
    else {
      fill(message, why)
      password.focus()
    }
  }

  return h(
    'main',
    { class: 'door', id: 'main' },
    h('img', { src: `${root}/assets/icon.svg`, alt: '', width: 40, height: 40 }),
    h('h1', {}, 'Lifecycle console'),
    said === null
      ? h('p', { class: 'lead' }, 'Where every client stands, and what waits for a person.')
      : h('p', { class: 'lead notice' }, said),
    h(
      'form',
      {
        onsubmit: (event) => {
          event.preventDefault()
          void submit()
        },
      },
      h('label', { for: 'email' }, 'E-mail'),
      email,
      h('label', { for: 'password' }, 'Password'),
      password,
      message,
      button,
    ),
  )
}
