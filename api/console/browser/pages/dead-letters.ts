/** What could not be processed: keys that wait behind a failing record, and the records set aside. */

import type { Child } from '../dom.ts'
import { fill, h } from '../dom.ts'
import { count, counted, shortIds } from '../format.ts'
import { get, post, sentenceOf } from '../http.ts'
import { ago, announce, empty, into, pageHead, table, tag } from '../parts.ts'
import type { Shown, Visit } from '../router.ts'
import { root } from '../router.ts'

interface Blocked {
  readonly application: string
  readonly task: string
  readonly key: string
  readonly count: number
  readonly reason: string
  readonly message: string
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly since: string
}

interface BlockedPage {
  readonly blocked: readonly Blocked[]
  /** Of the process that was asked. */
  readonly tasks: number
  readonly tasks_in_all: number
}

interface Letter {
  readonly dead_letter_topic: string
  readonly dead_letter_partition: number
  readonly dead_letter_offset: string
  readonly topic: string
  readonly partition: string
  readonly offset: string
  readonly key: string | null
  readonly application: string
  readonly reason: string
  readonly message: string
  readonly at: string
}

export function deadLetters({ signal }: Visit): Shown {
  const blockedPlace = h('div', { id: 'blocked' })
  const lettersPlace = h('div', { id: 'letters' })
  const said = h('p', { class: 'form-message', role: 'status' })

  const loadBlocked = (): Promise<void> =>
    into(
      blockedPlace,
      'the blocked keys',
      async () => blockedList(await get<BlockedPage>('/operator/blocked', {}, signal)),
      signal,
    )
  const loadLetters = (): Promise<void> =>
    into(
      lettersPlace,
      'the dead letters',
      async () =>
        lettersTable(await get<{ dead_letters: Letter[]; more: boolean }>('/operator/dead-letters', {}, signal)),
      signal,
    )

  function blockedList({ blocked: list, tasks, tasks_in_all }: BlockedPage): Child {
    const elsewhere =
      tasks < tasks_in_all &&
      h(
        'p',
        { class: 'note' },
        `This process runs ${count(tasks)} of ${count(tasks_in_all)} tasks, and shows the keys that wait in these. `,
        'The console of the process that runs the others shows theirs.',
      )
    if (list.length === 0)
      return [
        empty(
          'No key is blocked.',
          'When a record fails, the records behind it on the same key wait here until it is processed again or skipped.',
        ),
        elsewhere,
      ]
    return [h('ul', { class: 'queue' }, ...list.map((blocked) => h('li', {}, blockedRow(blocked)))), elsewhere]
  }

  function blockedRow(blocked: Blocked): HTMLElement {
    const { application, key, message, reason, topic, partition, offset, since } = blocked
    const redriveButton = h(
      'button',
      { type: 'button', class: 'primary', onclick: () => void redrive(blocked, false) },
      'Process again',
    )
    const sure = h(
      'button',
      { type: 'button', class: 'danger', hidden: true, onclick: () => void redrive(blocked, true) },
      'Yes, skip it for good',
    )
    const skip = h(
      'button',
      {
        type: 'button',
        onclick: () => {
          sure.hidden = !sure.hidden
          if (!sure.hidden) sure.focus()
        },
      },
      'Skip the first record',
    )
    return h(
      'article',
      { class: 'blocked', 'data-key': key },
      h(
        'div',
        {},
        h('h3', {}, application, ' ', tag(counted(blocked.count, 'record') + ' waiting', 'bad')),
        h('p', {}, h('code', {}, reason), ` ${message}`),
        h(
          'p',
          { class: 'quiet' },
          'Key ',
          h('code', { title: key }, shortIds(key)),
          ', blocked ',
          ago(since),
          ' by ',
          recordLink(topic, partition, offset),
        ),
      ),
      h('div', { class: 'buttons' }, redriveButton, skip, sure),
    )
  }

  async function redrive({ application, key }: Blocked, skipFirst: boolean): Promise<void> {
    fill(said, 'Processing again…')
    try {
      const { body } = await post<{ left: number }>('/operator/redrive', { application, key, skip_first: skipFirst })
      const text =
        body.left === 0
          ? `${application}: nothing waits under this key any more.`
          : `${application}: the first record failed again; ${counted(body.left, 'record')} still waiting.`
      fill(said, text)
      announce(text)
    } catch (error) {
      fill(said, sentenceOf(error))
    }
    await Promise.all([loadBlocked(), loadLetters()])
  }

  void loadBlocked()
  void loadLetters()
  const reload = h(
    'button',
    { type: 'button', onclick: () => void Promise.all([loadBlocked(), loadLetters()]) },
    'Refresh',
  )
  return {
    title: 'Dead letters',
    content: [
      pageHead(
        'Dead letters',
        'Records that could not be processed, over all tenants: where they stand and why, never what they say.',
        reload,
      ),
      said,
      h(
        'section',
        { 'aria-labelledby': 'blocked-head' },
        h('h2', { id: 'blocked-head' }, 'Blocked keys'),
        blockedPlace,
      ),
      h(
        'section',
        { 'aria-labelledby': 'letters-head' },
        h('h2', { id: 'letters-head' }, 'Every dead letter'),
        lettersPlace,
      ),
    ],
  }
}

function lettersTable({
  dead_letters,
  more,
}: {
  readonly dead_letters: readonly Letter[]
  readonly more: boolean
}): Child {
  if (dead_letters.length === 0) return empty('There are no dead letters.', 'Everything that was read could be used.')
  return [
    h(
      'p',
      { class: 'note' },
      'What fails in an application stays here too, also after its key goes on. A projection leaves out what it cannot use and ' +
        'goes on: it is not processed again from here. When the cause is mended, ',
      h('code', {}, 'npm run projections -- rebuild <name>'),
      ' reads everything anew.',
    ),
    table('Dead letters', ['Record', 'Not used by', 'Why', 'When', 'Kept at'], dead_letters.map(letterCells)),
    more &&
      h(
        'p',
        { class: 'note' },
        `The newest ${count(dead_letters.length)}; there are more in the topics that end in .dlq.`,
      ),
  ]
}

const ofProjections = 'sink-'

const letterCells = (letter: Letter): readonly Child[] => [
  recordLink(letter.topic, letter.partition, letter.offset),
  letter.application.startsWith(ofProjections)
    ? [letter.application.slice(ofProjections.length), ' ', tag('projection')]
    : letter.application,
  [h('code', {}, letter.reason), ' ', letter.message],
  ago(letter.at),
  recordLink(letter.dead_letter_topic, letter.dead_letter_partition, letter.dead_letter_offset),
]

function recordLink(topic: string, partition: number | string, offset: string): HTMLElement {
  const query = new URLSearchParams({ topic, partition: String(partition), offset })
  return h(
    'a',
    { href: `${root}/topics?${query.toString()}` },
    h('code', {}, `${topic}-${String(partition)}@${offset}`),
  )
}
