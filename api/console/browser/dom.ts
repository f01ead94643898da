/** Elements without markup in strings: what a page shows is built node by node, so that no text can become markup. */

export type Child = Node | string | number | null | undefined | false | readonly Child[]

type Handler = (event: Event) => void

/** Attributes as they are spelt in HTML; `on…` is a listener, `true` an attribute without a value, `false` none. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined | Handler>>

/** `h('a', { href: '/x', class: 'quiet' }, 'Go')` */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  setAttributes(element, attributes)
  append(element, children)
  return element
}

const svgNamespace = 'http://www.w3.org/2000/svg'

export function svg(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): SVGElement {
  const element = document.createElementNS(svgNamespace, tag)
  setAttributes(element, attributes)
  append(element, children)
  return element
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? '' : String(value))
  }
}

function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    if (child instanceof Node) parent.appendChild(child)
    else if (typeof child === 'object') append(parent, child)
    else parent.appendChild(document.createTextNode(String(child)))
  }
}

/** Shows these and nothing else. */
export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren()
  append(parent, children)
}
