/**
 * Places between two effects, where a process may be made to die: `crash('C07')`. Nothing in production; a real run kills
 * itself there on the n-th pass, a simulation ends the process. The list is generated from the source
 * (`tests/house/crash-points.ts`); an `await` of the commit path without a place of its own is a finding there.
 */

/** @param name `C` and two digits: what they mean is said in `topology/DESIGN.md` */
export type CrashPoint = (name: `C${number}`) => void

export const noCrash: CrashPoint = () => undefined
