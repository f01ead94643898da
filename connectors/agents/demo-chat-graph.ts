/**
 * One conversation of a visitor with the simulated agent of a demo, as a LangGraph graph whose checkpoints are rows. Heavy to
 * load: import it where a message is answered.
 *
 *   start -> refuse -------------------------> remember
 *         -> classify -> answer -> guard ----> remember
 *                     \-> guard  (not about the demo, or the model could not be asked)
 *
 * DG1  What is said cites findings of the demo and no others; whatever else a model writes becomes a neutral sentence.
 * DG2  A message is answered once: one that was remembered changes nothing.
 * DG3  A run that was cut off goes on from its last checkpoint, with what its tasks have written already.
 */

import { Annotation, END, START, StateGraph } from '@langchain/langgraph'
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint'
import type { FieldCipher } from '../../schemas/index.ts'
import type { Asking, ChatMessage } from './chat-model.ts'
import { ask } from './chat-model.ts'
import type { CheckpointRows } from './checkpoint-rows.ts'
import { RowCheckpointSaver } from './checkpoint-saver.ts'
import type { Draft, QuestionKind } from './demo-chat-prompts.ts'
import { answerPrompt, classifyPrompt, isGrounded, readClassified, readDraft, shortened } from './demo-chat-prompts.ts'
import type { Sentence } from './demo-chat-sentences.ts'
import { sentence } from './demo-chat-sentences.ts'
import type { DemoChatSettings } from './demo-chat-settings.ts'
import type { DemoContent } from './demo-content.ts'
import { sealedSerde } from './sealed-serde.ts'

export interface Question {
  readonly id: string
  readonly text: string
}

export interface Reply {
  readonly text: string
  /** What it rests on. */
  readonly findings: readonly string[]
}

/** A question that the model has seen, and what was said to it. */
export interface Exchange {
  readonly id: string
  readonly question: string
  readonly reply: string
}

export interface Turn {
  /** From the record, never from what a visitor sends. */
  readonly thread: string
  readonly tenantId: string
  readonly question: Question
  /** Null when nothing is known of the demo. */
  readonly content: DemoContent | null
}

export interface Talk {
  readonly rows: CheckpointRows
  readonly cipher: FieldCipher
  readonly asking: Asking
  readonly settings: DemoChatSettings
}

/** What became of a question; the model has had its say in the first two only. */
type Outcome = QuestionKind | 'unavailable' | 'refused'

const isAnswer = (kind: Outcome): boolean => kind === 'demo' || kind === 'other'

const last = <T>(fallback: T) => Annotation<T>({ reducer: (_, next) => next, default: () => fallback })

const Conversation = Annotation.Root({
  question: last<Question>({ id: '', text: '' }),
  exchanges: last<readonly Exchange[]>([]),
  /** Ids of questions, the oldest first. */
  answered: last<readonly string[]>([]),
  language: last('en'),
  kind: last<Outcome>('other'),
  draft: last<Draft | null>(null),
  reply: last<Reply>({ text: '', findings: [] }),
})

type State = typeof Conversation.State
type Update = typeof Conversation.Update

/** More steps than any path of the graph has. */
const recursionLimit = 10

/**
 * Answers a message, or goes on with answering it. Null when it was answered before (DG2).
 * @throws ThreadErased when the tenant's data key was destroyed; what the caller's signal was aborted with
 */
export async function takeTurn(talk: Talk, turn: Turn): Promise<Reply | null> {
  const saver = new RowCheckpointSaver(talk.rows, sealedSerde(talk.cipher))
  const graph = conversation(talk, turn, saver)
  const config = { configurable: { thread_id: turn.thread }, durability: 'sync' as const, recursionLimit }
  const before = await savedState(saver, turn.thread)
  if (before.answered?.includes(turn.question.id) === true) return null
  const isCutOff = before.question?.id === turn.question.id
  const after = await graph.invoke(isCutOff ? null : { question: turn.question }, config)
  await saver.compact(turn.thread, talk.settings.checkpointsKept)
  return after.reply
}

/** What was said in a thread, the oldest first. */
export async function exchangesOf(
  { rows, cipher }: Pick<Talk, 'rows' | 'cipher'>,
  thread: string,
): Promise<readonly Exchange[]> {
  return (await savedState(new RowCheckpointSaver(rows, sealedSerde(cipher)), thread)).exchanges ?? []
}

/** The newest checkpoint as it stands: what tasks after it have written counts when the run has gone on (DG3). */
async function savedState(saver: BaseCheckpointSaver, thread: string): Promise<Partial<State>> {
  const saved = await saver.get({ configurable: { thread_id: thread } })
  return saved?.channel_values ?? {}
}

function conversation(talk: Talk, turn: Turn, checkpointer: BaseCheckpointSaver) {
  const { settings, asking } = talk
  const { content, tenantId } = turn
  const { maxOutputTokens, maxAnswerChars } = settings
  const told = (state: State): ChatMessage[] => messagesOf(state)

  const classify = async (state: State): Promise<Update> => {
    const request = { ...classifyPrompt, messages: told(state), maxOutputTokens, tenantId }
    const found = await ask(asking, request, readClassified)
    return found ?? { kind: 'unavailable' }
  }
  const answer = async (state: State): Promise<Update> => {
    const facts = content ?? { company: '', headline: '', callToAction: '', facts: [] }
    const prompt = answerPrompt(facts, state.language, maxAnswerChars)
    const draft = await ask(asking, { ...prompt, messages: told(state), maxOutputTokens, tenantId }, readDraft)
    return draft === null ? { kind: 'unavailable' } : { draft }
  }
  /** DG1. */
  const guard = ({ kind, draft, language }: State): Update => {
    if (kind === 'unavailable') return { reply: said('unavailable', language) }
    if (draft === null || content === null || !isGrounded(draft, content))
      return { reply: said('neutral', language), draft: null }
    return { reply: { text: shortened(draft.text, maxAnswerChars), findings: draft.findings }, draft: null }
  }
  const refuse = (state: State): Update => ({
    kind: 'refused',
    reply: said(refusal(state, settings) ?? 'neutral', state.language),
  })
  const remember = ({ kind, question, reply, exchanges, answered }: State): Update => ({
    exchanges: isAnswer(kind)
      ? [...exchanges, { id: question.id, question: question.text, reply: reply.text }]
      : exchanges,
    answered: [...answered, question.id].slice(-settings.rememberedMessages),
    question: { id: question.id, text: '' },
    kind: 'other',
  })
  return new StateGraph(Conversation)
    .addNode('classify', classify)
    .addNode('answer', answer)
    .addNode('guard', guard)
    .addNode('refuse', refuse)
    .addNode('remember', remember)
    .addConditionalEdges(START, (state) => (refusal(state, settings) === null ? 'classify' : 'refuse'), [
      'classify',
      'refuse',
    ])
    .addConditionalEdges(
      'classify',
      ({ kind }) => (kind === 'demo' && (content?.facts.length ?? 0) > 0 ? 'answer' : 'guard'),
      ['answer', 'guard'],
    )
    .addEdge('answer', 'guard')
    .addEdge('guard', 'remember')
    .addEdge('refuse', 'remember')
    .addEdge('remember', END)
    .compile({ checkpointer })
}

const said = (which: Sentence, language: string): Reply => ({ text: sentence(which, language), findings: [] })

/** Why a question is not put to the model; null when it is. */
function refusal({ question, exchanges }: State, settings: DemoChatSettings): Sentence | null {
  if (exchanges.length >= settings.maxTurns) return 'enough'
  return question.text.length > settings.maxQuestionChars ? 'too_long' : null
}

function messagesOf({ exchanges, question }: State): ChatMessage[] {
  const before = exchanges.flatMap((exchange): ChatMessage[] => [
    { role: 'user', content: exchange.question },
    { role: 'assistant', content: exchange.reply },
  ])
  return [...before, { role: 'user', content: question.text }]
}
