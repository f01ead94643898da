/** A broken promise of the engine itself: the worker stops. Never thrown for what a record, a step or the network did. */
export class EngineBug extends Error {
  override readonly name = 'EngineBug'
}

export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new EngineBug(what)
}
