/** The texts that are sent, as data. `{name}` stands for a value; a text without all its values is not sent. */

export interface Template {
  readonly subject: string
  readonly text: string
}

export const templates: Readonly<Record<string, Template>> = Object.freeze({
  verify_email: {
    subject: 'Your verification code',
    text: [
      'Hello,',
      '',
      'your verification code is {code}',
      '',
      'It is valid for 15 minutes. If you did not sign up, ignore this message: nothing happens without the code.',
    ].join('\n'),
  },
})

export type Rendered =
  | { readonly kind: 'text'; readonly subject: string; readonly text: string }
  | { readonly kind: 'missing'; readonly name: string }

export function render(template: Template, values: Readonly<Record<string, unknown>>): Rendered {
  let missing: string | null = null
  const fill = (text: string): string =>
    text.replace(/\{([a-z_]+)\}/g, (_, name: string) => {
      const value = values[name]
      if (typeof value !== 'string' && typeof value !== 'number') missing ??= name
      // A value stays on its line: control characters would begin a new header or a new sentence.
      return String(value).replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ')
    })
  const subject = fill(template.subject)
  const text = fill(template.text)
  return missing === null ? { kind: 'text', subject, text } : { kind: 'missing', name: missing }
}
