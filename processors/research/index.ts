/** Service 1, the research engine: finds out what is publicly known about a company, each finding with its confidence. */

import { defineService } from '../define.ts'
import { researchClient } from '../research-client/index.ts'
import { researchReview } from '../research-review/index.ts'
import { researchSession } from '../research-session/index.ts'
import { researchStart } from '../research-start/index.ts'
import type { ResearchSettings } from './settings.ts'
import { researchDefaults } from './settings.ts'

export { researchDefaults } from './settings.ts'
export type { ResearchSettings } from './settings.ts'

export const researchService = (settings: ResearchSettings = researchDefaults) =>
  defineService('research', [
    researchStart(settings),
    researchClient(),
    researchSession(settings),
    researchReview(settings),
  ])
