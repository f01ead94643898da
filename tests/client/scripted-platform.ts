/** A platform that answers what it is told, in order, and remembers what it was asked. */

export interface Asked {
  readonly url: string
  readonly key: string
  readonly credential: string
  readonly body: string
  readonly events: readonly Readonly<Record<string, unknown>>[]
  readonly atMs: number
}

export type Scripted =
  | { readonly status: number; readonly body?: object; readonly headers?: Readonly<Record<string, string>> }
  | { readonly code: string }
  | 'silence'

export interface ScriptedPlatform {
  readonly fetch: typeof fetch
  readonly asked: Asked[]
}

/** Takes everything once the script is over. */
export function scriptedPlatform(...script: Scripted[]): ScriptedPlatform {
  const asked: Asked[] = []
  return {
    asked,
    fetch: async (input, init) => {
      const headers = new Headers(init?.headers)
      const body = String(init?.body)
      const { events } = JSON.parse(body) as Pick<Asked, 'events'>
      asked.push({
        url: String(input as string),
        key: headers.get('idempotency-key') ?? '',
        credential: headers.get('authorization') ?? '',
        body,
        events,
        atMs: performance.now(),
      })
      const next = script.shift() ?? written(events.length)
      if (next === 'silence')
        return new Promise((_, reject) =>
          init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error)),
        )
      if ('code' in next)
        throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: next.code }) })
      return new Response(JSON.stringify(next.body ?? {}), { status: next.status, headers: next.headers ?? {} })
    },
  }
}

export const written = (count: number): Scripted => ({
  status: 202,
  body: { events: Array.from({ length: count }, (_, n) => ({ event_id: `e${n}`, position: `t-0@${n}` })) },
})
