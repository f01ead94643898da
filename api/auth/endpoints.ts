/** Identity's doors, as data: mounted and documented by api/http. */

import type { Endpoint, ResponseSpec } from '../http/endpoint.ts'
import { endpoint } from '../http/endpoint.ts'
import type { Identity } from './identity.ts'
import { membershipEndpoints } from './membership-endpoints.ts'
import * as schemas from './schemas.ts'

/** The header in which a command says where its events leave; a read may wait for it with `min_position`. */
const positionHeader = 'Position'

const problem = (status: number, description: string): ResponseSpec => ({ status, description })
const ok = (status: number, description: string, schema?: ResponseSpec['schema']): ResponseSpec =>
  schema === undefined ? { status, description } : { status, description, schema }

const tooMany = problem(429, '`too_many_attempts`; Retry-After says when')
const busy = problem(503, '`busy`; Retry-After says when')

export function identityEndpoints(identity: Identity): readonly Endpoint[] {
  return [
    ...registration(identity),
    ...sessions(identity),
    ...passwords(identity),
    ...membershipEndpoints(identity),
    ...apiKeys(identity),
  ]
}

function registration(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/auth/signup',
      summary: 'Sign a company up with a work e-mail',
      tag: 'auth',
      auth: 'none',
      request: schemas.signupRequest,
      response: [
        ok(201, 'A code is on its way; the same answer for an address that signed up before', schemas.signupAnswer),
        problem(400, '`personal_email`: the address is at a free-mail provider'),
        problem(422, 'A field breaks a rule: `invalid_email`, `password_too_short`, `password_too_long`, …'),
        busy,
      ],
      handler: async ({ body, ip }) => {
        const { userId } = await identity.from({ ip }).signup(body)
        const message = 'We sent a 6-digit code to your work email. Enter it within 15 minutes.'
        return { status: 201, body: { user_id: userId, message } }
      },
    }),
    endpoint({
      method: 'post',
      path: '/auth/verify-email',
      summary: 'Prove the e-mail address with the code that was sent to it',
      tag: 'auth',
      auth: 'none',
      request: schemas.verifyEmailRequest,
      response: [
        ok(
          200,
          'The organization exists from now on; repeating the call repeats the answer',
          schemas.verifyEmailAnswer,
        ),
        problem(400, '`invalid_code`: wrong, late, or tried too often'),
        problem(409, '`organization_exists`: verified, but a colleague has signed the company up'),
      ],
      handler: async ({ body, ip }) => {
        const { organizationId, position } = await identity.from({ ip }).verifyEmail(body)
        const answer = { message: 'Your email is verified.', organization_id: organizationId }
        return { status: 200, body: answer, headers: position === null ? {} : { [positionHeader]: position } }
      },
    }),
    endpoint({
      method: 'post',
      path: '/auth/resend-code',
      summary: 'Ask for a new code; the old one ends',
      tag: 'auth',
      auth: 'none',
      request: schemas.resendCodeRequest,
      response: [ok(200, 'The same answer whether or not the address is known', schemas.messageAnswer), tooMany],
      handler: async ({ body, ip }) => {
        await identity.from({ ip }).resendCode(body)
        return { status: 200, body: { message: 'If this address waits for a code, a new one is on its way.' } }
      },
    }),
  ]
}

function sessions(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/auth/login',
      summary: 'Log in with e-mail and password',
      tag: 'auth',
      auth: 'none',
      request: schemas.loginRequest,
      response: [
        ok(200, 'An access token for 24 hours, a refresh token for 7 days', schemas.tokensAnswer),
        problem(401, '`wrong_credentials`'),
        problem(403, '`email_not_verified` or `no_organization`'),
        tooMany,
        busy,
      ],
      handler: async ({ body, ip }) => ({
        status: 200,
        body: await identity.from({ ip }).login(body, { ip }),
        headers: noStore,
      }),
    }),
    endpoint({
      method: 'post',
      path: '/auth/refresh',
      summary: 'Exchange a refresh token for new tokens; each works once',
      tag: 'auth',
      auth: 'none',
      request: schemas.refreshRequest,
      response: [
        ok(200, 'New tokens', schemas.tokensAnswer),
        problem(401, '`unauthorized`: unknown, late or revoked; a token used before ends its whole session'),
        problem(409, '`refresh_conflict`: another request refreshed this session at the same moment'),
      ],
      handler: async ({ body, ip }) => ({
        status: 200,
        body: await identity.from({ ip }).refresh(body),
        headers: noStore,
      }),
    }),
    endpoint({
      method: 'post',
      path: '/auth/logout',
      summary: 'End the session of this access token',
      tag: 'auth',
      auth: 'bearer',
      response: [ok(204, 'No token of the session is good any more')],
      handler: async ({ principal, ip }) => {
        await identity.from({ ip }).logout(principal)
        return { status: 204 }
      },
    }),
    endpoint({
      method: 'get',
      path: '/profile',
      summary: 'Who am I',
      tag: 'auth',
      auth: 'bearer',
      response: [ok(200, 'The user and their organization', schemas.profileAnswer)],
      handler: async ({ principal }) => ({ status: 200, body: await identity.profile(principal) }),
    }),
  ]
}

function passwords(identity: Identity): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/auth/password/forgot',
      summary: 'Ask for a code to choose a new password with',
      tag: 'auth',
      auth: 'none',
      request: schemas.forgotPasswordRequest,
      response: [
        ok(200, 'The same answer whether or not the address is known', schemas.messageAnswer),
        problem(422, '`invalid_email`'),
        tooMany,
      ],
      handler: async ({ body, ip }) => {
        await identity.from({ ip }).forgotPassword(body)
        return { status: 200, body: { message: 'If this address has an account, a code is on its way.' } }
      },
    }),
    endpoint({
      method: 'post',
      path: '/auth/password/reset',
      summary: 'Choose a new password with the code; every session of the user ends',
      tag: 'auth',
      auth: 'none',
      request: schemas.resetPasswordRequest,
      response: [
        ok(200, 'The new password is the only one; log in with it', schemas.messageAnswer),
        problem(400, '`invalid_code`: wrong, late, used, or tried too often'),
        problem(422, 'The new password breaks a rule: `password_too_short`, `password_too_long`, …'),
        busy,
      ],
      handler: async ({ body, ip }) => {
        await identity.from({ ip }).resetPassword(body)
        return { status: 200, body: { message: 'Your password is changed. Log in with the new one.' } }
      },
    }),
  ]
}

function apiKeys(identity: Identity): Endpoint[] {
  const forbidden = problem(403, '`forbidden`: only an owner')
  return [
    endpoint({
      method: 'post',
      path: '/api-keys',
      summary: 'Make an API key for a program: what it may do, and how often',
      tag: 'api-keys',
      auth: 'bearer',
      request: schemas.createApiKeyRequest,
      response: [
        ok(201, 'The key, shown this once', schemas.newApiKeyAnswer),
        forbidden,
        problem(409, '`too_many_api_keys`'),
      ],
      handler: async ({ principal, body, ip }) => ({
        status: 201,
        body: await identity.from({ ip }).createApiKey(principal, body),
        headers: noStore,
      }),
    }),
    endpoint({
      method: 'get',
      path: '/api-keys',
      summary: "The organization's API keys",
      tag: 'api-keys',
      auth: 'bearer',
      response: [ok(200, 'Keys in force, oldest first', schemas.apiKeysAnswer), forbidden],
      handler: async ({ principal }) => ({ status: 200, body: { api_keys: await identity.listApiKeys(principal) } }),
    }),
    endpoint({
      method: 'delete',
      path: '/api-keys/:id',
      summary: 'Revoke an API key at once',
      tag: 'api-keys',
      auth: 'bearer',
      response: [ok(204, 'The key is refused from now on'), forbidden, problem(404, '`not_found`')],
      handler: async ({ principal, params, ip }) => {
        await identity.from({ ip }).revokeApiKey(principal, params.id ?? '')
        return { status: 204 }
      },
    }),
  ]
}

const noStore = { 'Cache-Control': 'no-store' }
