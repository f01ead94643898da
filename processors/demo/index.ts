/** The demo generator: a personal demo from what was found out, its link, and who was taken with it. */

import { defineService } from '../define.ts'
import { demoClient } from '../demo-client/index.ts'
import { demoResearch } from '../demo-research/index.ts'
import { demoStudio } from '../demo-studio/index.ts'
import type { DemoSettings } from './settings.ts'
import { demoDefaults } from './settings.ts'

export { demoDefaults } from './settings.ts'
export type { DemoSettings } from './settings.ts'

export const demoService = (settings: DemoSettings = demoDefaults) =>
  defineService('demo', [demoResearch(), demoClient(settings), demoStudio(settings)])
