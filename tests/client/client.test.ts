import { transportContract } from '../contracts/transport.ts'
import { openHttpWorld, openLogWorld } from './worlds.ts'

transportContract('over HTTP ingest', openHttpWorld)
transportContract('into a log', () => openLogWorld())
