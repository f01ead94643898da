/** Bodies of identity's endpoints. Strict: a field that is not named here is an error, never ignored. */

import { z } from 'zod'

/** Text that every part of the platform can keep: PostgreSQL refuses NUL, UTF-8 has no lone surrogate. */
export const text = (maxLength: number): z.ZodString =>
  z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), {
      error: 'must be text without NUL or lone surrogates',
    })

export const email = z.string().min(3).max(320)
/** Rules for new passwords are checked by identity, which says which one is broken. */
const password = z.string().min(1).max(4096)
export const newPassword = password.meta({ description: 'At least 8 characters, at most 72 bytes' })

const sixDigits = z
  .string()
  .trim()
  .regex(/^\d{6}$/, 'must be six digits')

export const signupRequest = z.strictObject({
  email: email.meta({ description: 'A work e-mail', example: 'ada@acme.example' }),
  password: newPassword,
  company_name: text(200),
  first_name: text(100),
  last_name: text(100),
  domain: text(253).optional().meta({ description: "Host name of the company's site; that of the e-mail unless told" }),
  industry: text(100).optional(),
})
export type SignupRequest = z.infer<typeof signupRequest>

export const verifyEmailRequest = z.strictObject({ email, code: sixDigits })
export type VerifyEmailRequest = z.infer<typeof verifyEmailRequest>

export const resendCodeRequest = z.strictObject({ email })
export type ResendCodeRequest = z.infer<typeof resendCodeRequest>

export const loginRequest = z.strictObject({ email, password })
export type LoginRequest = z.infer<typeof loginRequest>

export const refreshRequest = z.strictObject({ refresh_token: z.string().min(1).max(512) })
export type RefreshRequest = z.infer<typeof refreshRequest>

export const forgotPasswordRequest = z.strictObject({ email })
export type ForgotPasswordRequest = z.infer<typeof forgotPasswordRequest>

export const resetPasswordRequest = z.strictObject({ email, code: sixDigits, password: newPassword })
export type ResetPasswordRequest = z.infer<typeof resetPasswordRequest>

const scope = z.enum(['events:write', 'read'])
const quota = z.int().min(1).max(1_000_000_000)

export const createApiKeyRequest = z.strictObject({
  name: text(100),
  scopes: z
    .array(scope)
    .min(1)
    .max(2)
    .refine((scopes) => new Set(scopes).size === scopes.length, { error: 'must name each scope once' })
    .optional()
    .meta({ description: 'What the key may do; `events:write` alone unless told' }),
  per_minute: quota.optional().meta({ description: "Requests a minute; the platform's default unless told" }),
  per_day: quota.optional().meta({ description: "Requests a day (UTC); the platform's default unless told" }),
})
export type CreateApiKeyRequest = z.infer<typeof createApiKeyRequest>

export const signupAnswer = z.object({ user_id: z.uuid(), message: z.string() })
export const messageAnswer = z.object({ message: z.string() })
export const verifyEmailAnswer = z.object({ message: z.string(), organization_id: z.uuid() })

export const tokensAnswer = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'Lifetime of the access token in seconds' }),
  refresh_token: z.string(),
})
export type TokensAnswer = z.infer<typeof tokensAnswer>

export const profileAnswer = z.object({
  user_id: z.uuid(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  user_type: z.enum(['client', 'agent']),
  role: z.enum(['owner', 'admin', 'member', 'agent', 'supervisor']),
  organization: z.object({
    organization_id: z.uuid(),
    tenant_id: z.uuid(),
    company_name: z.string(),
    domain: z.string(),
    industry: z.string().nullable(),
  }),
})
export type ProfileAnswer = z.infer<typeof profileAnswer>

export const apiKeyAnswer = z.object({
  id: z.uuid(),
  name: z.string(),
  prefix: z.string().meta({ description: 'The first characters of the key, to know it by' }),
  scopes: z.array(scope),
  per_minute: z.int().meta({ description: 'Requests a minute; 0 is no limit' }),
  per_day: z.int().meta({ description: 'Requests a day; 0 is no limit' }),
  created_at: z.iso.datetime(),
})
export type ApiKeyAnswer = z.infer<typeof apiKeyAnswer>

export const newApiKeyAnswer = apiKeyAnswer.extend({ key: z.string().meta({ description: 'Shown this once' }) })
export type NewApiKeyAnswer = z.infer<typeof newApiKeyAnswer>

export const apiKeysAnswer = z.object({ api_keys: z.array(apiKeyAnswer) })
