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
  demo_link: {
    subject: 'Your demo is ready',
    text: [
      'Hello {first_name},',
      '',
      'we have made a demo for you, with what we understood of your business. It opens without a login:',
      '',
      '{url}',
      '',
      'It can be seen until {expires}. Share the link with whoever should look at it with you.',
    ].join('\n'),
  },
  demo_nudge: {
    subject: 'Your demo waits for you',
    text: [
      'Hello {first_name},',
      '',
      'nobody has looked at your demo yet. It takes five minutes, and opens without a login:',
      '',
      '{url}',
      '',
      'It can be seen until {expires}.',
    ].join('\n'),
  },
  demo_expired: {
    subject: 'Your demo has run out',
    text: [
      'Hello {first_name},',
      '',
      'the link to your demo shows nothing any more. If you would like to see it after all, answer this message and we put it up again.',
    ].join('\n'),
  },
  demo_last_word: {
    subject: 'Shall we put your demo up again?',
    text: [
      'Hello {first_name},',
      '',
      'a week ago your demo ran out. Answer this message and it is back, for you and whoever should look at it with you.',
      '',
      'If we hear nothing, we leave it at that.',
    ].join('\n'),
  },
  document_to_sign: {
    subject: 'Please sign: {document}',
    text: [
      'Hello {first_name},',
      '',
      'the {document} is ready for your signature. You get it in a message of its own from our signature service.',
      '',
      'It can be signed until {expires}.',
    ].join('\n'),
  },
  document_reminder: {
    subject: 'A reminder: the {document} waits for your signature',
    text: [
      'Hello {first_name},',
      '',
      'the {document} still waits for your signature. If something in it is not as you want it, tell us, and we change it.',
    ].join('\n'),
  },
  invoice: {
    subject: 'Your invoice {invoice}',
    text: [
      'Hello {first_name},',
      '',
      'your invoice {invoice} over {amount} is due on {due}. You can see it and pay it here:',
      '{pay_url}',
    ].join('\n'),
  },
  payment_failed: {
    subject: 'Your payment did not go through',
    text: [
      'Hello {first_name},',
      '',
      'the payment of invoice {invoice} did not go through. We try again in the next days; nothing changes for you until then.',
    ].join('\n'),
  },
  payment_method_needed: {
    subject: 'Please give us another method of payment',
    text: [
      'Hello {first_name},',
      '',
      'your bank refuses the payment of invoice {invoice}, and trying again would not help.',
      'Please give us another method of payment here:',
      '{pay_url}',
    ].join('\n'),
  },
  payment_reminder: {
    subject: 'A reminder: invoice {invoice} is not paid',
    text: [
      'Hello {first_name},',
      '',
      'invoice {invoice} is not paid yet. Please see that your method of payment is still good, or pay it here:',
      '{pay_url}',
    ].join('\n'),
  },
  payment_final_notice: {
    subject: 'Last notice: invoice {invoice} is not paid',
    text: [
      'Hello {first_name},',
      '',
      'invoice {invoice} is still not paid. If it stays so, new conversations will be limited in a few days.',
      'If there is a reason, answer this message: we find a way. It can be paid here:',
      '{pay_url}',
    ].join('\n'),
  },
  service_restricted: {
    subject: 'New conversations are limited',
    text: [
      'Hello {first_name},',
      '',
      'as invoice {invoice} is not paid, new conversations are limited from today. Once it is paid, all is as before:',
      '{pay_url}',
    ].join('\n'),
  },
  service_suspended: {
    subject: 'Your service is suspended',
    text: [
      'Hello {first_name},',
      '',
      'as invoice {invoice} is not paid, your service is suspended. Once it is paid, all is as before:',
      '{pay_url}',
    ].join('\n'),
  },
  subscription_canceled: {
    subject: 'Your subscription has ended',
    text: ['Hello {first_name},', '', 'as invoice {invoice} was never paid, your subscription has ended.'].join('\n'),
  },
  payment_recovered: {
    subject: 'Thank you, your payment has arrived',
    text: ['Hello {first_name},', '', 'invoice {invoice} is paid, and nothing is limited any more.'].join('\n'),
  },
  payment_after_end: {
    subject: 'Thank you, your payment has arrived',
    text: [
      'Hello {first_name},',
      '',
      'invoice {invoice} is paid, and nothing is owed of it any more. Your subscription had ended before and stays so;',
      'if you want to come back, answer this message.',
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
