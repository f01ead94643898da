/**
 * Service 0, as far as it is decided in SQL: who signs up, who may log in, what a token is worth. Each method is one
 * transaction; what others must know leaves through the outbox in the same one.
 */

import type { Pool, PoolClient } from '../../connectors/postgres/index.ts'
import { inTransaction } from '../../connectors/postgres/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { ApiKeyPrincipal, UserPrincipal } from '../http/endpoint.ts'
import * as apiKeys from './api-keys.ts'
import { codeBox } from './codes.ts'
import type { Caller, IdentityContext, TenantKeys } from './context.ts'
import { opaqueToken, pseudonym } from './digest.ts'
import { login } from './login.ts'
import { createOutbox } from './outbox.ts'
import { PasswordHasher } from './passwords.ts'
import { profile } from './profile.ts'
import type {
  ApiKeyAnswer,
  CreateApiKeyRequest,
  LoginRequest,
  NewApiKeyAnswer,
  ProfileAnswer,
  RefreshRequest,
  ResendCodeRequest,
  SignupRequest,
  TokensAnswer,
  VerifyEmailRequest,
} from './schemas.ts'
import { authenticate, logout, refresh } from './sessions.ts'
import type { IdentitySettings } from './settings.ts'
import { signup } from './signup.ts'
import { sweep } from './sweep.ts'
import { accessTokens } from './tokens.ts'
import type { Verified } from './verification.ts'
import { resendCode, verifyEmail } from './verification.ts'

export interface IdentityOptions {
  /** Connected as role `auth`. */
  readonly pool: Pool
  /** Real time, also where business time is warped. */
  readonly clock: Clock
  /** Event time in ms; runs ahead of the clock where business time is warped. The clock's unless told. */
  readonly time?: () => number
  readonly random: Random
  readonly settings: IdentitySettings
  readonly keys: TenantKeys
  /** Called after each commit that may have written events: wakes the relay of this process. */
  readonly nudge?: () => void
}

/** Every method throws an ApiProblem for what a person did wrong; requests are validated by their schema before. */
export interface Identity {
  signup(request: SignupRequest): Promise<{ readonly userId: string }>
  verifyEmail(request: VerifyEmailRequest): Promise<Verified>
  resendCode(request: ResendCodeRequest): Promise<void>
  login(request: LoginRequest, from: Caller): Promise<TokensAnswer>
  refresh(request: RefreshRequest): Promise<TokensAnswer>
  logout(principal: UserPrincipal): Promise<void>
  profile(principal: UserPrincipal): Promise<ProfileAnswer>
  createApiKey(owner: UserPrincipal, request: CreateApiKeyRequest): Promise<NewApiKeyAnswer>
  listApiKeys(owner: UserPrincipal): Promise<readonly ApiKeyAnswer[]>
  revokeApiKey(owner: UserPrincipal, id: string): Promise<void>
  /** Who holds this access token. @throws ApiProblem 401, the same for every reason */
  authenticate(token: string): Promise<UserPrincipal>
  /** Whose key this is. @throws ApiProblem 401, the same for every reason */
  authenticateApiKey(key: string): Promise<ApiKeyPrincipal>
  /** Deletes rows that no answer depends on any more; call it every few minutes. */
  sweep(): Promise<void>
}

export function createIdentity(options: IdentityOptions): Identity {
  const { pool, clock, random, settings, nudge, time = () => clock.now() } = options
  const context: IdentityContext = {
    ...options,
    outbox: createOutbox(time, random),
    hasher: new PasswordHasher(settings.hashing, opaqueToken(random), clock),
    codes: codeBox(settings.codeSecret, random),
    tokens: accessTokens(settings, clock),
    refreshing: new Set(),
    emailHash: (address) => pseudonym(settings.pepper, 'email', address),
    ipHash: (ip) => pseudonym(settings.pepper, 'ip', ip),
    decide: async <T>(work: (client: PoolClient) => Promise<T>) => {
      const result = await inTransaction(pool, work)
      nudge?.()
      return result
    },
  }
  return {
    signup: (request) => signup(context, request),
    verifyEmail: (request) => verifyEmail(context, request),
    resendCode: (request) => resendCode(context, request),
    login: (request, from) => login(context, request, from),
    refresh: (request) => refresh(context, request),
    logout: (principal) => logout(context, principal),
    profile: (principal) => profile(context, principal),
    createApiKey: (owner, request) => apiKeys.createApiKey(context, owner, request),
    listApiKeys: (owner) => apiKeys.listApiKeys(context, owner),
    revokeApiKey: (owner, id) => apiKeys.revokeApiKey(context, owner, id),
    authenticate: (token) => authenticate(context, token),
    authenticateApiKey: (key) => apiKeys.authenticateApiKey(context, key),
    sweep: () => sweep(context),
  }
}
