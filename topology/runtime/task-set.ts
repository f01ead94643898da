/**
 * The tasks of one application in this worker, each in its stage:
 *
 *   assigned -> opening (lock, restore, offsets) -> running -> held (being given up) -> parked or closed
 *   standby  -> opening (lock)                   -> following its changelogs         -> closed, or opening as active
 *
 * W7  A rebalance touches only the tasks that move: the others keep queues, state and calls.
 * W8  Tasks open beside the turns of those that run, and join between two turns. Trouble with one is waited out, with
 *     growing waits, and stops no other; so is a state directory that its last owner has not closed yet.
 *
 * A task that was given up cleanly is parked with its state open until the rebalance is over: its worker may be its standby.
 */

import type { CrashPoint, Log, TopicPartition } from '../../connectors/kafka/index.ts'
import type { StateBudget, TaskState } from '../../state-stores/index.ts'
import type { Clock } from '../clock.ts'
import type { Topology } from '../graph/topology.ts'
import type { CallMemo } from './async-operator.ts'
import { noMemo } from './async-operator.ts'
import type { Reading } from './changelog.ts'
import { remaining } from './changelog.ts'
import type { RuntimeSettings } from './settings.ts'
import { StandbyTask, StandbyTasks } from './standby-task.ts'
import type { TaskProgress } from './application-status.ts'
import type { Task } from './task.ts'
import type { HeldTask } from './task-assignment-data.ts'
import type { KeptTask, TaskOpener, TaskPlace } from './task-opener.ts'
import { asError, canRetry, isLocked, messageOf } from './trouble.ts'

export interface TaskSetOptions {
  readonly topology: Topology
  readonly log: Log
  readonly opener: TaskOpener
  readonly budget: StateBudget
  readonly clock: Clock
  readonly settings: RuntimeSettings
  readonly notice: (line: string) => void
  readonly crash: CrashPoint
  /** Runs between two turns of the loop. */
  readonly between: (work: () => Promise<void>) => Promise<void>
  /** A task runs now; called between two turns. */
  readonly opened: (task: Task) => void
  /** A task runs no more. */
  readonly closed: (task: Task) => void
  /** A task cannot be opened, whatever is tried. */
  readonly failed: (error: Error) => void
  /** A warm-up standby has caught up. */
  readonly caughtUp: () => void
}

export interface StandbyTaskPlace extends TaskPlace {
  readonly warmUp: boolean
}

interface Slot {
  readonly id: string
  readonly place: TaskPlace
  readonly role: 'active' | 'standby'
  warmUp: boolean
  readonly abort: AbortController
  /** Settles, never rejects, when it opens no more. */
  opening: Promise<void> | null
  /** While it opens: its state, and how far its changelogs were read. */
  state: TaskState | null
  readings: readonly Reading[]
  task: Task | null
  held: boolean
}

/** How long a state directory may stay in another's hands before that counts as a mistake, in ms. */
const lockedMaxMs = 120_000
/** Who gives a task up closes its state in the meantime: that is no news. */
const lockedTries = 5

export class TaskSet {
  readonly #options: TaskSetOptions
  readonly #slots = new Map<string, Slot>()
  readonly #parked = new Map<string, TaskState>()
  readonly #standbys: StandbyTasks
  /** Takes a task's state out of the buffer budget. */
  readonly #unregister = new Map<TaskState, () => void>()
  /** What this worker knows of the calls of tasks that it had, or has to open again. */
  readonly #memos = new Map<string, CallMemo>()
  /** Positions of states that this worker has closed, by task. */
  readonly #left = new Map<string, bigint>()
  #running: readonly Task[] = []
  #working: readonly Task[] = []

  constructor(options: TaskSetOptions) {
    this.#options = options
    this.#standbys = new StandbyTasks({ ...options, broken: (task, error) => this.#standbyBroke(task, error) })
  }

  /** Tasks that a commit covers. */
  get running(): readonly Task[] {
    return this.#running
  }

  /** Those of them that take records: not being given up. */
  get working(): readonly Task[] {
    return this.#working
  }

  /** True when every task that was assigned runs. */
  get isComplete(): boolean {
    return [...this.#slots.values()].every(({ role, task }) => role === 'standby' || task !== null)
  }

  get progress(): TaskProgress {
    const active = [...this.#slots.values()].filter(({ role, task }) => role === 'active' && task === null)
    const standbys = this.#standbys.tasks
    return {
      restoring: active.length,
      restoreRemaining: Number(active.reduce((sum, { readings }) => sum + remaining(readings), 0n)),
      standbys: standbys.length,
      standbyLag: Number(standbys.reduce((sum, { lag }) => sum + lag, 0n)),
    }
  }

  /** What this worker's process has of each task's state, for the assignor. */
  get held(): readonly HeldTask[] {
    const held = new Map<string, HeldTask>()
    const note = (id: string, role: HeldTask['role'], position: bigint): void => {
      const split = id.lastIndexOf('_')
      held.set(id, { part: id.slice(0, split), partition: Number(id.slice(split + 1)), role, position })
    }
    for (const [id, position] of this.#left) note(id, 'left', position)
    for (const [id, state] of this.#parked) note(id, 'left', sumOf(state))
    for (const { id, state } of this.#standbys.tasks) note(id, 'standby', sumOf(state))
    for (const { id, role, task, state } of this.#slots.values()) {
      const open = task?.state ?? state
      if (role === 'active') note(id, 'active', open === null ? (this.#left.get(id) ?? 0n) : sumOf(open))
    }
    return [...held.values()]
  }

  // Assignment ---------------------------------------------------------------------------------------------------

  /**
   * Opens what earlier runs left on disk, so that the group hears of it; tasks that are assigned take it over, the rest is
   * closed with the assignment.
   * @param keptOpen false closes each at once: another worker of this process may get the task
   */
  async openLeftovers(places: readonly Pick<TaskPlace, 'part' | 'partition'>[], keptOpen: boolean): Promise<void> {
    for (const place of places) {
      try {
        const state = await this.#options.opener.openState(place)
        if (keptOpen) this.#park(idOf(place), state)
        else await this.#closeState(idOf(place), state, true)
      } catch {
        // Damaged, or another worker's: whoever gets the task will see.
      }
    }
  }

  /**
   * These with the inputs that their tasks have: what a leader of another build does not know comes, or goes, on its own. A task
   * whose inputs change ends and opens again with those that it has then.
   */
  grown(added: readonly TaskPlace[]): { readonly places: readonly TaskPlace[]; readonly changed: readonly string[] } {
    const changed: string[] = []
    const places = added.map((place) => {
      const inputs = this.#inputsOf(place)
      const more = place.inputs.filter((input) => !inputs.some((known) => isSame(known, input)))
      if (inputs.length > 0 && more.length > 0) changed.push(idOf(place))
      return { ...place, inputs: [...inputs, ...more] }
    })
    return { places, changed }
  }

  /** What is left of the tasks that these inputs are taken from; nothing, as a rule. */
  shrunk(revoked: readonly TaskPlace[]): readonly TaskPlace[] {
    return revoked.flatMap((place) => {
      const inputs = this.#inputsOf(place).filter((known) => !place.inputs.some((gone) => isSame(known, gone)))
      return inputs.length === 0 ? [] : [{ ...place, inputs }]
    })
  }

  #inputsOf(place: TaskPlace): readonly TopicPartition[] {
    const slot = this.#slots.get(idOf(place))
    return slot?.role === 'active' ? slot.place.inputs : []
  }

  /** New tasks and the standbys of a rebalance that is over. Does not wait for any to open. */
  async assign(added: readonly TaskPlace[], standbys: readonly StandbyTaskPlace[] | null): Promise<void> {
    for (const place of added) {
      const id = idOf(place)
      if (this.#slots.get(id)?.role === 'active') continue
      const state = await this.#takeState(id)
      const slot = this.#slot(place, 'active', false)
      this.#open(slot, state === null ? null : { state, startedAt: null })
    }
    if (standbys !== null) await this.#assignStandbys(standbys)
    this.#openMissing()
  }

  /** The rebalance is over: what nobody here took over is closed. */
  async closeParked(): Promise<void> {
    for (const [id, state] of [...this.#parked]) {
      this.#parked.delete(id)
      await this.#closeState(id, state, true).catch((error: unknown) => this.#closeFailed(id, error))
    }
  }

  async #assignStandbys(places: readonly StandbyTaskPlace[]): Promise<void> {
    const wanted = new Map(places.map((place) => [idOf(place), place]))
    for (const { id, role } of [...this.#slots.values()]) {
      if (role === 'active' || wanted.has(id)) continue
      const state = await this.#takeState(id)
      if (state !== null) this.#park(id, state)
    }
    for (const [id, place] of wanted) {
      const slot = this.#slots.get(id)
      if (slot !== undefined) {
        this.#warm(slot, place.warmUp)
        continue
      }
      const state = this.#parked.get(id) ?? null
      this.#parked.delete(id)
      const standby = this.#slot(place, 'standby', place.warmUp)
      this.#open(standby, state === null ? null : { state, startedAt: null })
    }
  }

  /** Opens again what was assigned and neither runs nor opens. */
  #openMissing(): void {
    for (const slot of this.#slots.values())
      if (slot.task === null && slot.opening === null && !this.#follows(slot)) this.#open(slot, null)
  }

  /** These will be given up: those that open stop it, those that run take no more records. Returns the latter. */
  async hold(ids: readonly string[]): Promise<readonly Task[]> {
    // First of all: what goes back while this waits must not open again.
    for (const id of ids) {
      const slot = this.#slots.get(id)
      if (slot !== undefined) slot.held = true
    }
    this.#changed()
    await this.#cancel(ids)
    return ids.flatMap((id) => this.#slots.get(id)?.task ?? [])
  }

  /** Gives up tasks, between two turns. @param clean their work is committed: their state stays open for now */
  async release(ids: readonly string[], clean: boolean): Promise<void> {
    for (const id of ids) {
      const slot = this.#slots.get(id)
      if (slot === undefined) continue
      this.#slots.delete(id)
      const { task } = slot
      if (task === null) {
        // Trouble may have made it open again meanwhile: it closes what it has when it gets its turn.
        slot.abort.abort()
        this.#keepStarts(id, this.#memos.get(id) ?? noMemo)
        continue
      }
      if (!clean) await task.closeCalls(0)
      this.#end(slot, task)
      if (clean) this.#park(id, task.state)
      else await this.#discardState(id, task.state)
    }
    this.#changed()
  }

  /** Closes the tasks that run and forgets what they did since the last commit; they stay assigned. Between two turns. */
  async suspend(): Promise<void> {
    for (const slot of this.#slots.values()) {
      const { task, id } = slot
      if (task === null) continue
      await task.closeCalls(0)
      this.#end(slot, task)
      await this.#discardState(id, task.state)
    }
    this.#changed()
  }

  /** Everything will be given up: what opens stops it, and nothing opens any more. */
  async holdAll(): Promise<void> {
    await this.hold([...this.#slots.keys()])
  }

  /** Gives up everything, standbys too, between two turns. @param clean the work of the tasks is committed */
  async releaseAll(clean: boolean): Promise<void> {
    const errors: unknown[] = []
    for (const { id, role } of [...this.#slots.values()]) {
      if (role === 'active') continue
      const state = await this.#takeState(id)
      if (state !== null) this.#park(id, state)
    }
    await this.release([...this.#slots.keys()], clean)
    for (const [id, state] of [...this.#parked]) {
      this.#parked.delete(id)
      await this.#closeState(id, state, true).catch((error: unknown) => errors.push(error))
    }
    if (errors.length > 0) throw errors[0]
  }

  // Trouble ------------------------------------------------------------------------------------------------------

  /** Every task goes back to its committed state and opens again beside the loop; held ones end here. Between two turns. */
  async reopen(): Promise<void> {
    for (const slot of [...this.#slots.values()]) {
      const { task } = slot
      if (task === null) continue
      const memo = this.#end(slot, task)
      if (slot.held) await this.#discardState(slot.id, task.state)
      else {
        this.#memos.set(slot.id, memo)
        this.#open(slot, { state: task.state, startedAt: task.startedAt })
      }
    }
    this.#changed()
  }

  /** Opens again what failed to follow. */
  #standbyBroke({ id, state }: StandbyTask, error: unknown): void {
    this.#forgetState(state)
    const slot = this.#slots.get(id)
    if (slot === undefined || slot.role !== 'standby') return
    this.#options.notice(`standby ${this.#nameOf(id)}: opened again after ${messageOf(error)}`)
    // Damage must be known to whoever opens it: it is wiped for that.
    this.#open(slot, state.damage === null ? null : { state, startedAt: null })
  }

  // Opening ------------------------------------------------------------------------------------------------------

  #slot(place: TaskPlace, role: Slot['role'], warmUp: boolean): Slot {
    const id = idOf(place)
    const fresh = { opening: null, state: null, readings: [], task: null, held: false }
    const slot: Slot = { id, place, role, warmUp, abort: new AbortController(), ...fresh }
    this.#slots.set(id, slot)
    return slot
  }

  #open(slot: Slot, kept: KeptTask | null): void {
    const opening = this.#opened(slot, kept)
      .catch((error: unknown) => this.#options.failed(asError(error)))
      .finally(() => {
        if (slot.opening !== opening) return
        slot.opening = null
        slot.state = null
        slot.readings = []
      })
    slot.opening = opening
  }

  /** Until it is open, or is not wanted any more (W8). */
  async #opened(slot: Slot, first: KeptTask | null): Promise<void> {
    const { clock, notice } = this.#options
    const { signal } = slot.abort
    const since = clock.now()
    let kept = first
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await (slot.role === 'active' ? this.#openActive(slot, kept) : this.#openStandby(slot, kept?.state ?? null))
        return
      } catch (error) {
        // The opener has closed what it was given.
        if (slot.state !== null) this.#forgetState(slot.state)
        if (kept?.state != null) this.#forgetState(kept.state)
        kept = kept === null ? null : { ...kept, state: null }
        if (signal.aborted) return
        const waits = isLocked(error) ? clock.now() - since < lockedMaxMs : canRetry(error)
        if (!waits) throw error
        if (failures === (isLocked(error) ? lockedTries : 0))
          notice(`task ${this.#nameOf(slot.id)} cannot be opened yet: ${messageOf(error)}`)
        await this.#wait(failures, signal)
      }
    }
    if (kept?.state != null) await this.#closeState(slot.id, kept.state, true)
  }

  async #openActive(slot: Slot, kept: KeptTask | null): Promise<void> {
    const memo = this.#memos.get(slot.id) ?? noMemo
    const task = await this.#options.opener.open(slot.place, kept, memo, this.#watch(slot))
    await this.#options.between(async () => {
      if (slot.abort.signal.aborted) {
        task.closeNodes()
        await this.#closeState(slot.id, task.state, true)
        return
      }
      slot.task = task
      this.#memos.delete(slot.id)
      this.#registerState(task.state)
      this.#left.delete(slot.id)
      this.#changed()
      this.#options.opened(task)
    })
  }

  async #openStandby(slot: Slot, kept: TaskState | null): Promise<void> {
    const { opener } = this.#options
    const { state, readings } = await opener.openStandby(slot.place, kept, this.#watch(slot))
    this.#registerState(state)
    this.#standbys.add(new StandbyTask(slot.id, state, readings, slot.warmUp))
  }

  #watch(slot: Slot): { signal: AbortSignal; state(state: TaskState): void; restoring(of: readonly Reading[]): void } {
    return {
      signal: slot.abort.signal,
      state: (state) => {
        slot.state = state
      },
      restoring: (readings) => {
        slot.readings = readings
      },
    }
  }

  async #cancel(ids: readonly string[]): Promise<void> {
    const opening = ids.flatMap((id) => {
      const slot = this.#slots.get(id)
      if (slot === undefined || slot.opening === null) return []
      slot.abort.abort()
      return [slot.opening]
    })
    await Promise.all(opening)
  }

  async #wait(failures: number, signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#options
    const waitMs = Math.min(settings.retryMinMs * 2 ** Math.min(failures, 20), settings.retryMaxMs)
    await new Promise<void>((resolve) => {
      const cancel = clock.after(waitMs, resolve)
      signal.addEventListener('abort', () => (cancel(), resolve()), { once: true })
    })
  }

  // State --------------------------------------------------------------------------------------------------------

  /** The open state of a standby or a parked task; null when it must be opened from disk. */
  async #takeState(id: string): Promise<TaskState | null> {
    const slot = this.#slots.get(id)
    if (slot?.role === 'standby') {
      await this.#cancel([id])
      this.#slots.delete(id)
      const standby = await this.#standbys.remove(id)
      if (standby !== null) return standby.state
    }
    const parked = this.#parked.get(id) ?? null
    this.#parked.delete(id)
    return parked
  }

  #follows({ id, role }: Slot): boolean {
    return role === 'standby' && this.#standbys.tasks.some((standby) => standby.id === id)
  }

  #warm(slot: Slot, warmUp: boolean): void {
    slot.warmUp = warmUp
    this.#standbys.warm(slot.id, warmUp)
  }

  #park(id: string, state: TaskState): void {
    this.#registerState(state)
    this.#parked.set(id, state)
  }

  /**
   * Ends a running task; its state stays open at the last commit. Whenever it opens here again, the start times of its calls
   * count (A5); its calls are for whoever goes on with it at once (A3).
   */
  #end(slot: Slot, task: Task): CallMemo {
    const memo = task.takeMemo()
    this.#keepStarts(slot.id, memo)
    task.closeNodes()
    task.state.abort()
    slot.task = null
    if (slot.held) this.#slots.delete(slot.id)
    this.#options.closed(task)
    return memo
  }

  #keepStarts(id: string, { starts }: CallMemo): void {
    this.#memos.set(id, { ...noMemo, starts })
  }

  #registerState(state: TaskState): void {
    if (!this.#unregister.has(state)) this.#unregister.set(state, this.#options.budget.register(state))
  }

  #forgetState(state: TaskState): void {
    this.#unregister.get(state)?.()
    this.#unregister.delete(state)
  }

  async #closeState(id: string, state: TaskState, flush: boolean): Promise<void> {
    this.#left.set(id, sumOf(state))
    this.#forgetState(state)
    await state.close({ flush })
  }

  /** What was not committed is to be forgotten: a close that fails must not keep the tasks behind it at work. */
  async #discardState(id: string, state: TaskState): Promise<void> {
    await this.#closeState(id, state, false).catch((error: unknown) => this.#closeFailed(id, error))
  }

  #closeFailed(id: string, error: unknown): void {
    this.#options.notice(`task ${this.#nameOf(id)}: its state was closed without its last rows: ${messageOf(error)}`)
  }

  #nameOf(id: string): string {
    return `${this.#options.topology.name}/${id}`
  }

  #changed(): void {
    const slots = [...this.#slots.values()]
    this.#running = slots.flatMap(({ task }) => task ?? [])
    this.#working = slots.flatMap(({ task, held }) => (held ? [] : (task ?? [])))
  }
}

const isSame = (a: TopicPartition, b: TopicPartition): boolean => a.topic === b.topic && a.partition === b.partition

export const idOf = (place: Pick<TaskPlace, 'part' | 'partition'>): string => `${place.part.name}_${place.partition}`

const sumOf = (state: TaskState): bigint =>
  [...state.positions().values()].reduce<bigint>((sum, position) => sum + (position ?? 0n), 0n)
