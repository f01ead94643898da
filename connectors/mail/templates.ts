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
  reset_password: {
    subject: 'Choose a new password',
    text: [
      'Hello,',
      '',
      'the code to choose a new password with is {code}',
      '',
      'It is valid for {minutes} minutes. If you did not ask for it, ignore this message: your password stays as it is.',
    ].join('\n'),
  },
  invitation: {
    subject: 'You are invited to join {host}',
    text: [
      'Hello,',
      '',
      'somebody at {host} invites you to join their organization. Your code is {code}',
      '',
      'It is valid for {days} days. If you do not know them, ignore this message: nothing happens without the code.',
    ].join('\n'),
  },
  join_requested: {
    subject: '{email} asks to join your organization',
    text: [
      'Hello,',
      '',
      '{email} has signed up with an address at {host} and asks to join your organization.',
      '',
      'Approve or reject the request under join requests. Until then they see nothing of it.',
    ].join('\n'),
  },
  join_approved: {
    subject: 'You are in',
    text: ['Hello,', '', 'an owner of the organization of {host} has let you in. You can log in now.'].join('\n'),
  },
  join_rejected: {
    subject: 'Your request to join was declined',
    text: [
      'Hello,',
      '',
      'an owner of the organization of {host} has declined your request to join. Ask them if you think it a mistake.',
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
