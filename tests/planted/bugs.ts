/**
 * Bugs that others have had, planted one at a time in a copy of the source; each must be caught. A test suite that has never
 * failed proves nothing.
 *
 * By seeds: the simulator reports the violation of an invariant. By a test: the test that is named fails.
 */

import type { PlantedBug } from './bug.ts'
import { edgeBugs } from './bugs/edges.ts'
import { engineBugs } from './bugs/engine.ts'
import { logBugs } from './bugs/log.ts'

export const plantedBugs: readonly PlantedBug[] = [...engineBugs, ...logBugs, ...edgeBugs]
