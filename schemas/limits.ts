/** Sizes that hold everywhere, in bytes. */

/** An event as it is written, frame included. */
export const maxEventBytes = 524_288
/** A state value under one key; what needs more uses sub-keys. */
export const maxStateBytes = 262_144
