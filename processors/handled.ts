/**
 * Events that a state has taken already, newest last and bounded: one that comes again changes nothing. For what a state cannot
 * tell by itself, such as a command or a look that leaves the same behind twice.
 */

/**
 * The state with the event noted; null when it was handled before.
 * @param remembered ids at most; the oldest are forgotten first
 */
export function handledOnce<S extends { readonly handled: readonly string[] }>(
  state: S,
  eventId: string,
  remembered: number,
): S | null {
  if (state.handled.includes(eventId)) return null
  return { ...state, handled: [...state.handled, eventId].slice(-remembered) }
}
