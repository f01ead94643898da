/** The API, asked as whoever is logged in. A token that ran out is renewed once; after that the session is over. */

import { heardTime } from './clock.ts'
import { end, renew, token } from './session.ts'

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

export interface Answer<T> {
  readonly body: T
  /** Of a command: a read with it as `min_position` sees what the command did. */
  readonly position: string | null
}

type Parameters = Readonly<Record<string, string | number | null | undefined>>

export const base = '/api/v1'

export const get = async <T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> =>
  (await send<T>('GET', path + queryOf(parameters), undefined, signal)).body

/**
 * A read that has seen what an event or a command did. One that comes late is not waited for: what there is by then is read, and the
 * next event asks again.
 * @param position of the event; null for none
 */
export async function getSeen<T>(
  path: string,
  parameters: Parameters,
  position: string | null,
  signal?: AbortSignal,
): Promise<T> {
  try {
    return await get<T>(path, { ...parameters, min_position: position }, signal)
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'not_yet_visible')) throw error
    return get<T>(path, parameters, signal)
  }
}

export const post = <T>(path: string, body?: unknown): Promise<Answer<T>> => send<T>('POST', path, body)

export function queryOf(parameters: Parameters): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== '')
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return text === '' ? '' : `?${text}`
}

/** @throws ApiError; what the server cannot be asked has status 0 */
async function send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer<T>> {
  let response = await once(method, path, body, signal)
  if (response.status === 401 && (await renew())) response = await once(method, path, body, signal)
  if (response.status === 401) {
    end('ended')
    throw new ApiError(401, 'unauthorized', 'Your session has ended.')
  }
  if (!response.ok) throw await problemOf(response)
  const answer = response.status === 204 ? undefined : await response.json()
  return { body: answer as T, position: response.headers.get('position') }
}

async function once(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${token() ?? ''}` }
  if (body !== undefined) headers['content-type'] = 'application/json'
  try {
    const response = await fetch(base + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    heardTime(response.headers.get('business-time'))
    return response
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw new ApiError(0, 'unreachable', 'The platform does not answer. Check that it runs, then try again.')
  }
}

export async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string }
  return new ApiError(response.status, problem.code ?? 'error', problem.detail ?? 'Something went wrong; try again.')
}

export const sentenceOf = (error: unknown): string =>
  error instanceof ApiError ? error.message : 'This page met something it did not expect; load it again.'
