/**
 * Listeners of a local Kafka where one has to say who one is: SASL_PLAINTEXT, and SASL_SSL with a certificate that is made
 * here. Rights come from ACLs alone. Who comes by the first listener, as brokers do among themselves, is nobody by name
 * (`User:ANONYMOUS`) and may do everything: it listens on loopback.
 */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface KafkaSecurity {
  /** Passwords by name: letters, digits and hyphens. By PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly users: Readonly<Record<string, string>>
  /** Where certificates are made; SASL_SSL only with it. */
  readonly certificates?: string | undefined
}

/** Ports of a node's further listeners. */
export interface SecuredPorts {
  readonly plain: number
  readonly tls: number
}

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
const storePassword = 'changeit'
const keystoreOf = (directory: string): string => join(directory, 'kafka.p12')
/** What a client is to trust, PEM. */
export const certificateOf = (directory: string): string => join(directory, 'kafka.pem')

/** A broker's settings with these listeners added to those that it has. */
export function secured(
  settings: Readonly<Record<string, string>>,
  { plain, tls }: SecuredPorts,
  { users, certificates }: KafkaSecurity,
): Record<string, string> {
  const listeners = [`SASL_PLAINTEXT://127.0.0.1:${plain}`]
  if (certificates !== undefined) listeners.push(`SASL_SSL://127.0.0.1:${tls}`)
  const and = (name: string, fallback: string, added: readonly string[]): string =>
    [settings[name] ?? fallback, ...added].join(',')
  const protocols = ['SASL_PLAINTEXT:SASL_PLAINTEXT', 'SASL_SSL:SASL_SSL']
  return {
    ...settings,
    listeners: and('listeners', '', listeners),
    'advertised.listeners': and('advertised.listeners', '', listeners),
    'listener.security.protocol.map': and(
      'listener.security.protocol.map',
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      protocols,
    ),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'sasl.enabled.mechanisms': mechanisms.join(','),
    ...loginModules(users),
    ...(certificates === undefined ? {} : keystore(certificates)),
  }
}

function loginModules(users: KafkaSecurity['users']): Record<string, string> {
  const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const common = 'org.apache.kafka.common.security'
  const modules = mechanisms.map((mechanism) =>
    mechanism === 'PLAIN'
      ? `${common}.plain.PlainLoginModule required ${passwords.join(' ')};`
      : `${common}.scram.ScramLoginModule required;`,
  )
  const entries = ['sasl_plaintext', 'sasl_ssl'].flatMap((listener) =>
    mechanisms.map((mechanism, i) => [
      `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`,
      modules[i]!,
    ]),
  )
  return Object.fromEntries(entries) as Record<string, string>
}

const keystore = (directory: string): Record<string, string> => ({
  'ssl.keystore.type': 'PKCS12',
  'ssl.keystore.location': keystoreOf(directory),
  'ssl.keystore.password': storePassword,
})

/** Words for `kafka-storage format`: SCRAM has its users in the cluster's own metadata. */
export const scramUsers = ({ users }: KafkaSecurity): string[] =>
  Object.entries(users).flatMap(([name, password]) =>
    mechanisms
      .filter((mechanism) => mechanism !== 'PLAIN')
      .flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]),
  )

/** A key with a certificate for 127.0.0.1 and localhost, signed by itself, for a day. */
export async function makeCertificate(directory: string): Promise<void> {
  const store = ['-keystore', keystoreOf(directory), '-storetype', 'PKCS12', '-storepass', storePassword]
  const subject = ['-dname', 'CN=127.0.0.1', '-ext', 'SAN=IP:127.0.0.1,DNS:localhost', '-ext', 'BC=ca:true']
  const key = ['-alias', 'kafka', '-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '1', ...subject]
  await run('keytool', ['-genkeypair', ...key, ...store], { timeout: 30_000 })
  const out = ['-rfc', '-alias', 'kafka', '-file', certificateOf(directory)]
  await run('keytool', ['-exportcert', ...out, ...store], { timeout: 30_000 })
}
