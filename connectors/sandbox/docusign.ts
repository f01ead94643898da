/**
 * DocuSign, for practice: envelopes that are sent, seen, signed, declined or left lying by people who keep their hours in
 * business time, and the Connect webhooks that tell of it. Envelopes and files outlive a kill.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer, Asked, StandIn, StandInContext } from './exchange.ts'
import { field, idOf, jsonAnswer, textField } from './exchange.ts'
import type { Envelope } from './docusign-people.ts'
import { people, summaryOf } from './docusign-people.ts'
import { certificatePdf, signedPdf } from './docusign-pdf.ts'
import { Records } from './records.ts'
import type { SandboxRule } from './script.ts'

const day = 24 * 60 * 60 * 1000
/** A transaction id names an envelope so long. */
const transactionMs = 7 * day
const tokenSeconds = 3_600

const at = String.raw`^/restapi/v2\.1/accounts/[^/]+/envelopes`
const paths: readonly (readonly [method: string, path: RegExp, operation: string])[] = [
  ['POST', /^\/oauth\/token$/, 'token'],
  ['GET', /^\/oauth\/userinfo$/, 'userinfo'],
  ['POST', new RegExp(`${at}$`), 'create_envelope'],
  ['GET', new RegExp(`${at}$`), 'list_envelopes'],
  ['GET', new RegExp(`${at}/([^/]+)$`), 'envelope'],
  ['PUT', new RegExp(`${at}/([^/]+)$`), 'void_envelope'],
  ['GET', new RegExp(`${at}/([^/]+)/documents/combined$`), 'combined'],
  ['GET', new RegExp(`${at}/([^/]+)/documents/certificate$`), 'certificate'],
]

export function docuSign(context: StandInContext): StandIn {
  const envelopes = new Records<Envelope>(join(context.directory, 'docusign-envelopes.ndjson'))
  const files = join(context.directory, 'docusign')
  mkdirSync(files, { recursive: true })
  const signers = people(context, envelopes)
  const byTransaction = new Map([...envelopes.values()].map((one) => [one.transactionId, one.envelopeId]))
  const fileOf = (id: string): string => join(files, `${id}.pdf`)
  const known = (asked: Asked): Envelope | undefined => envelopes.get(idIn(asked))

  function create(asked: Asked, rule: SandboxRule | null): Answer {
    const read = envelopeIn(asked, context.now())
    if (typeof read === 'string') return problem(400, 'INVALID_REQUEST_BODY', read)
    const earlier = envelopes.get(byTransaction.get(read.envelope.transactionId) ?? '')
    if (earlier !== undefined && context.now() - earlier.createdAt < transactionMs)
      return jsonAnswer(201, summaryOf(earlier))
    const told = rule?.answer === 'declines' || rule?.answer === 'ignores' ? rule.answer : 'signs'
    const envelope: Envelope = {
      ...read.envelope,
      envelopeId: idOf(`${read.envelope.transactionId} ${String(envelopes.size)} ${String(context.now())}`),
      told,
      ...(rule?.after_ms === undefined ? {} : { afterMs: rule.after_ms }),
    }
    // The file first: an envelope that is known has one.
    writeFileSync(`${fileOf(envelope.envelopeId)}.new`, read.pdf)
    renameSync(`${fileOf(envelope.envelopeId)}.new`, fileOf(envelope.envelopeId))
    signers.begin(envelope)
    envelopes.put(envelope.envelopeId, envelope)
    byTransaction.set(envelope.transactionId, envelope.envelopeId)
    return jsonAnswer(201, summaryOf(envelope))
  }

  function list(asked: Asked): Answer {
    const ids = (asked.query.get('transaction_ids') ?? '').split(',')
    const found = ids.flatMap((id) => envelopes.get(byTransaction.get(id) ?? '') ?? [])
    const recent = found.filter(({ createdAt }) => context.now() - createdAt < transactionMs)
    return jsonAnswer(200, { resultSetSize: String(recent.length), envelopes: recent.map(summaryOf) })
  }

  function voided(asked: Asked): Answer {
    const envelope = known(asked)
    if (envelope === undefined) return notFound()
    if (textField(asked.json, 'status') !== 'voided' || textField(asked.json, 'voidedReason') === null)
      return problem(400, 'INVALID_REQUEST_PARAMETER', 'An envelope is voided with status and voidedReason.')
    if (envelope.status !== 'sent' && envelope.status !== 'delivered')
      return problem(400, 'ENVELOPE_CANNOT_VOID_INVALID_STATE', 'Only envelopes on their way may be voided.')
    signers.voided(envelope, textField(asked.json, 'voidedReason') ?? '')
    return jsonAnswer(200, { envelopeId: envelope.envelopeId })
  }

  function file(asked: Asked, of: (envelope: Envelope, sent: Buffer) => Buffer): Answer {
    const envelope = known(asked)
    if (envelope === undefined || !existsSync(fileOf(envelope.envelopeId))) return notFound()
    // The official client asks for application/pdf; what else would come is not known here.
    if (!/application\/pdf|\*\/\*/.test(String(asked.headers['accept'] ?? '*/*')))
      return problem(406, 'INVALID_REQUEST_PARAMETER', 'A document is a PDF.')
    const body = of(envelope, readFileSync(fileOf(envelope.envelopeId)))
    return { status: 200, headers: { 'content-type': 'application/pdf' }, body }
  }

  function answer(operation: string, asked: Asked, rule: SandboxRule | null): Answer {
    if (operation === 'token') return token(asked, context.realNow())
    if (!hasToken(asked, context.realNow())) return { status: 401, body: error(401) }
    switch (operation) {
      case 'userinfo':
        return userinfo(asked)
      case 'create_envelope':
        return create(asked, rule)
      case 'list_envelopes':
        return list(asked)
      case 'void_envelope':
        return voided(asked)
      case 'combined':
        return file(asked, signedPdf)
      case 'certificate':
        return file(asked, certificatePdf)
      default: {
        const envelope = known(asked)
        return envelope === undefined ? notFound() : jsonAnswer(200, summaryOf(envelope))
      }
    }
  }

  return {
    name: 'docusign',
    recognise(asked) {
      const found = paths.find(([method, path]) => method === asked.method && path.test(asked.path))
      if (found === undefined) return null
      const [, , operation] = found
      const envelope = operation === 'create_envelope' ? envelopeIn(asked, 0) : { envelope: known(asked) }
      return { operation, companies: typeof envelope === 'string' ? [] : companiesOf(envelope.envelope) }
    },
    answer: (operation, asked, _told, rule) => answer(operation, asked, rule),
    error,
    close: () => envelopes.close(),
  }
}

const companiesOf = (envelope: Pick<Envelope, 'custom'> | undefined): string[] =>
  [envelope?.custom['company'], envelope?.custom['domain']].filter((name) => name !== undefined)

const idIn = (asked: Asked): string => /\/envelopes\/([^/]+)/.exec(asked.path)?.[1] ?? ''

const problem = (status: number, errorCode: string, message: string): Answer =>
  jsonAnswer(status, { errorCode, message })
const notFound = (): Answer => problem(404, 'ENVELOPE_DOES_NOT_EXIST', 'The envelope does not exist.')
const error = (status: number): string =>
  JSON.stringify({
    errorCode:
      status === 401
        ? 'AUTHORIZATION_INVALID_TOKEN'
        : status === 429
          ? 'HOURLY_APIINVOCATION_LIMIT_EXCEEDED'
          : `SANDBOX_${status}`,
    message: `The sandbox answers ${status}.`,
  })

/** The accounts of who asks, each with the server that it is on: one of another name, and ours on this one. */
function userinfo({ headers }: Asked): Answer {
  const account = (account_id: string, base_uri: string) => ({ account_id, account_name: account_id, base_uri })
  const here = `http://${String(headers['host'])}/docusign`
  const accounts = [account('another', 'https://eu.sandbox.example'), account('sandbox', here)]
  return jsonAnswer(200, { sub: 'sandbox', accounts: accounts.map((one, n) => ({ ...one, is_default: n === 0 })) })
}

type Claims = Readonly<Record<string, unknown>>

/** A token for an assertion of the right shape; its signature is of a key that nobody here knows. */
function token(asked: Asked, nowMs: number): Answer {
  const form = new URLSearchParams(asked.body)
  const wrong = (why: string): Answer => jsonAnswer(400, { error: 'invalid_grant', error_description: why })
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return wrong('unsupported_grant_type')
  const [head = '', body = '', signature = '', ...more] = (form.get('assertion') ?? '').split('.')
  const header = jsonPart(head)
  const claims = jsonPart(body)
  if (header === null || claims === null || more.length > 0 || header['alg'] !== 'RS256')
    return wrong('no RS256 assertion')
  if (Buffer.from(signature, 'base64url').length < 256) return wrong('the signature is too short for RS256')
  if (claims['aud'] !== asked.headers['host']) return wrong('aud is not this host')
  const { iat, exp } = claims
  const lives = typeof iat === 'number' && typeof exp === 'number' && exp > iat && exp - iat <= 3_600
  if (!lives || exp * 1000 <= nowMs) return wrong('iat and exp span at most an hour, and exp is to come')
  if (typeof claims['iss'] !== 'string' || typeof claims['sub'] !== 'string') return wrong('iss and sub are required')
  if (!String(claims['scope']).split(' ').includes('signature')) return wrong('scope is required')
  const access_token = `sandbox.${nowMs + tokenSeconds * 1000}.${idOf(body)}`
  return jsonAnswer(200, { access_token, token_type: 'Bearer', expires_in: tokenSeconds })
}

function hasToken(asked: Asked, nowMs: number): boolean {
  const until = /^Bearer sandbox\.(\d+)\.\S+$/.exec(String(asked.headers['authorization'] ?? ''))?.[1]
  return until !== undefined && Number(until) > nowMs
}

function jsonPart(text: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Claims) : null
  } catch {
    return null
  }
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : [])

/** The envelope in a request, or what is wrong with it. */
function envelopeIn(
  { json }: Asked,
  nowMs: number,
): { readonly envelope: Omit<Envelope, 'envelopeId' | 'told'>; readonly pdf: Buffer } | string {
  const [document] = listOf(field(json, 'documents'))
  const pdf = Buffer.from(textField(document, 'documentBase64') ?? '', 'base64')
  if (pdf.subarray(0, 5).toString('latin1') !== '%PDF-') return 'An envelope has a document, and it is a PDF.'
  const signers = listOf(field(field(json, 'recipients'), 'signers')).map((signer) => ({
    recipientId: textField(signer, 'recipientId') ?? '',
    roleName: textField(signer, 'roleName') ?? '',
    routingOrder: Number(textField(signer, 'routingOrder') ?? '1'),
    name: textField(signer, 'name') ?? '',
    email: textField(signer, 'email') ?? '',
    status: 'created' as const,
  }))
  if (signers.length === 0 || signers.some(({ email, name }) => email === '' || name === ''))
    return 'An envelope has signers, each with a name and an address.'
  const custom = listOf(field(field(json, 'customFields'), 'textCustomFields')).map((one) => [
    textField(one, 'name') ?? '',
    textField(one, 'value') ?? '',
  ])
  const transactionId = textField(json, 'transactionId')
  const envelope = {
    transactionId: transactionId ?? idOf(JSON.stringify(json) + String(nowMs)),
    createdAt: nowMs,
    status: 'sent' as const,
    subject: textField(json, 'emailSubject') ?? '',
    signers: signers.toSorted((a, b) => a.routingOrder - b.routingOrder),
    custom: Object.fromEntries(custom) as Readonly<Record<string, string>>,
  }
  return { envelope, pdf }
}
