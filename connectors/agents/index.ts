/** Agents that hold conversations: graphs whose checkpoints are state of the stream. Loading this loads no graph yet. */
export type { ChatMessage, ChatModel, ChatOutcome, ChatRequest } from './chat-model.ts'
export { demoChatApplication, demoChatTopology } from './demo-chat.ts'
export type { DemoChatOptions } from './demo-chat.ts'
export { defaultDemoChatSettings } from './demo-chat-settings.ts'
export type { DemoChatSettings } from './demo-chat-settings.ts'
