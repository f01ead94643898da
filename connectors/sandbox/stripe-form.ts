/** Form bodies with bracket keys, as the payment service takes them: `items[0][price]=…` to a tree of texts. */

export type Form = { [name: string]: string | Form }

const longest = 1_000

/** Lists are trees with the keys 0, 1, …; a key that is no path is left out. */
export function parseForm(body: string): Form {
  const tree: Form = Object.create(null) as Form
  let left = longest
  for (const [key, value] of new URLSearchParams(body)) {
    const [, head, rest] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(key) ?? []
    if (head === undefined || rest === undefined || left-- <= 0) continue
    place(tree, [head, ...[...rest.matchAll(/\[([^[\]]*)\]/g)].map(([, name]) => name ?? '')], value)
  }
  return tree
}

function place(tree: Form, path: readonly string[], value: string): void {
  const [name = '', ...rest] = path
  if (rest.length === 0) {
    tree[name] = value
    return
  }
  const below = tree[name]
  const next = typeof below === 'object' ? below : (Object.create(null) as Form)
  tree[name] = next
  place(next, rest, value)
}

export const text = (form: Form, name: string): string | null => {
  const value = form[name]
  return typeof value === 'string' && value !== '' ? value : null
}

export const whole = (form: Form, name: string): number | null => {
  const value = text(form, name)
  return value !== null && /^-?\d{1,15}$/.test(value) ? Number(value) : null
}

export const tree = (form: Form, name: string): Form => {
  const value = form[name]
  return typeof value === 'object' ? value : {}
}

/** The entries of a list, in order. */
export const list = (form: Form, name: string): Form[] =>
  Object.entries(tree(form, name))
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, value]) => (typeof value === 'object' ? [value] : []))

export const texts = (form: Form, name: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(tree(form, name)).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : [])),
  )
