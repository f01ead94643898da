/**
 * Service 0, as far as it is decided in SQL: who signs up, who may log in, what a token is worth. Each method is one
 * transaction; what others must know leaves through the outbox in the same one.
 */

import type { Pool, PoolClient } from '../../connectors/postgres/index.ts'
import { inTransaction } from '../../connectors/postgres/index.ts'
import type { Clock, Random } from '../../topology/clock.ts'
import type { ApiKeyPrincipal, UserPrincipal } from '../http/endpoint.ts'
import { acceptInvitation } from './accept-invitation.ts'
import type { Accepted } from './accept-invitation.ts'
import * as apiKeys from './api-keys.ts'
import { closeOrganization } from './close-organization.ts'
import { codeBox } from './codes.ts'
import type { Caller, IdentityContext, TenantKeys } from './context.ts'
import { opaqueToken, pseudonym } from './digest.ts'
import type { Invited } from './invitations.ts'
import * as invitations from './invitations.ts'
import type { JoinDecided } from './join-requests.ts'
import * as joinRequests from './join-requests.ts'
import { login } from './login.ts'
import type { Decided } from './membership.ts'
import * as membership from './membership.ts'
import type {
  AcceptInvitationRequest,
  CloseOrganizationRequest,
  InvitationAnswer,
  InviteRequest,
  JoinDecisionRequest,
  JoinRequestAnswer,
  MemberAnswer,
  Role,
} from './membership-schemas.ts'
import type { Outbox } from './outbox.ts'
import { createOutbox } from './outbox.ts'
import { forgotPassword, resetPassword } from './password-reset.ts'
import { PasswordHasher } from './passwords.ts'
import { profile } from './profile.ts'
import type { Quotas } from './quotas.ts'
import { apiKeyQuotas } from './quotas.ts'
import type {
  ApiKeyAnswer,
  CreateApiKeyRequest,
  ForgotPasswordRequest,
  LoginRequest,
  NewApiKeyAnswer,
  ProfileAnswer,
  RefreshRequest,
  ResendCodeRequest,
  ResetPasswordRequest,
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
  /** The same, for a request from there: its events say so, as a hash. */
  from(caller: Caller): Identity
  signup(request: SignupRequest): Promise<{ readonly userId: string }>
  verifyEmail(request: VerifyEmailRequest): Promise<Verified>
  resendCode(request: ResendCodeRequest): Promise<void>
  forgotPassword(request: ForgotPasswordRequest): Promise<void>
  resetPassword(request: ResetPasswordRequest): Promise<void>
  login(request: LoginRequest, from: Caller): Promise<TokensAnswer>
  refresh(request: RefreshRequest): Promise<TokensAnswer>
  logout(principal: UserPrincipal): Promise<void>
  profile(principal: UserPrincipal): Promise<ProfileAnswer>
  listMembers(principal: UserPrincipal): Promise<readonly MemberAnswer[]>
  changeRole(principal: UserPrincipal, userId: string, role: Role): Promise<Decided>
  removeMember(principal: UserPrincipal, userId: string): Promise<Decided>
  invite(principal: UserPrincipal, request: InviteRequest): Promise<Invited>
  listInvitations(principal: UserPrincipal): Promise<readonly InvitationAnswer[]>
  revokeInvitation(principal: UserPrincipal, id: string): Promise<Decided>
  acceptInvitation(request: AcceptInvitationRequest): Promise<Accepted>
  listJoinRequests(owner: UserPrincipal): Promise<readonly JoinRequestAnswer[]>
  decideJoinRequest(owner: UserPrincipal, id: string, request: JoinDecisionRequest): Promise<JoinDecided>
  closeOrganization(owner: UserPrincipal, request: CloseOrganizationRequest): Promise<Decided>
  createApiKey(owner: UserPrincipal, request: CreateApiKeyRequest): Promise<NewApiKeyAnswer>
  listApiKeys(owner: UserPrincipal): Promise<readonly ApiKeyAnswer[]>
  revokeApiKey(owner: UserPrincipal, id: string): Promise<void>
  /** Who holds this access token. @throws ApiProblem 401, the same for every reason */
  authenticate(token: string): Promise<UserPrincipal>
  /** Whose key this is. @throws ApiProblem 401, the same for every reason */
  authenticateApiKey(key: string): Promise<ApiKeyPrincipal>
  /** Takes one request of a key's quota: headers that say what is left. @throws ApiProblem 429 `quota_exceeded` */
  spendQuota(key: ApiKeyPrincipal): Promise<Readonly<Record<string, string>>>
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
  const outboxFrom = (ip: string) => createOutbox(time, random, context.ipHash(ip))
  return identityIn(context, apiKeyQuotas(pool, clock), outboxFrom)
}

function identityIn(context: IdentityContext, quotas: Quotas, outboxFrom: (ip: string) => Outbox): Identity {
  return {
    from: ({ ip }) => identityIn({ ...context, outbox: outboxFrom(ip) }, quotas, outboxFrom),
    signup: (request) => signup(context, request),
    verifyEmail: (request) => verifyEmail(context, request),
    resendCode: (request) => resendCode(context, request),
    forgotPassword: (request) => forgotPassword(context, request),
    resetPassword: (request) => resetPassword(context, request),
    login: (request, from) => login(context, request, from),
    refresh: (request) => refresh(context, request),
    logout: (principal) => logout(context, principal),
    profile: (principal) => profile(context, principal),
    listMembers: (principal) => membership.listMembers(context, principal),
    changeRole: (principal, userId, role) => membership.changeRole(context, principal, userId, role),
    removeMember: (principal, userId) => membership.removeMember(context, principal, userId),
    invite: (principal, request) => invitations.invite(context, principal, request),
    listInvitations: (principal) => invitations.listInvitations(context, principal),
    revokeInvitation: (principal, id) => invitations.revokeInvitation(context, principal, id),
    acceptInvitation: (request) => acceptInvitation(context, request),
    listJoinRequests: (owner) => joinRequests.listJoinRequests(context, owner),
    decideJoinRequest: (owner, id, request) => joinRequests.decideJoinRequest(context, owner, id, request),
    closeOrganization: (owner, request) => closeOrganization(context, owner, request),
    createApiKey: (owner, request) => apiKeys.createApiKey(context, owner, request),
    listApiKeys: (owner) => apiKeys.listApiKeys(context, owner),
    revokeApiKey: (owner, id) => apiKeys.revokeApiKey(context, owner, id),
    authenticate: (token) => authenticate(context, token),
    authenticateApiKey: (key) => apiKeys.authenticateApiKey(context, key),
    spendQuota: (key) => quotas.spend(key),
    sweep: () => sweep(context),
  }
}
