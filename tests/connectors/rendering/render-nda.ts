/** Renders the NDA of the fixtures and prints its sha256: for a process of its own. */

import { createHash } from 'node:crypto'
import process from 'node:process'
import { renderDocument } from '../../../connectors/rendering/index.ts'
import { documents } from './fixtures.ts'

const { pdf } = await renderDocument(documents[0]!)
process.stdout.write(createHash('sha256').update(pdf).digest('hex'))
