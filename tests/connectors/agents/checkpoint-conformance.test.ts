/** The official suite for checkpoint savers, whole. It registers its tests itself, through vitest's globals. */

import * as vitest from 'vitest'
import { RowCheckpointSaver } from '../../../connectors/agents/checkpoint-saver.ts'
import { RowOverlay } from '../../../connectors/agents/row-overlay.ts'

Object.assign(globalThis, vitest)
const { validate } = await import('@langchain/langgraph-checkpoint-validation')

validate({
  checkpointerName: 'rows of an ordered store',
  createCheckpointer: () => new RowCheckpointSaver(new RowOverlay()),
})
