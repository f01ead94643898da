import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WarpClock } from '../../../deploy/warp/warp-clock.ts'
import { Warp, alongAtLeastMs, unseenAtMostMs } from '../../../deploy/warp/warp.ts'
import { HandClock } from '../../../topology/testing/hand-clock.ts'

const start = 1_767_225_600_000
const day = 24 * 60 * 60 * 1000
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warp-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('warped clock', () => {
  const path = () => join(directory, 'business-time')

  it('calls what is due in the order of its times, and not what was cancelled', () => {
    const clock = new WarpClock(path(), start)
    const called: string[] = []
    clock.after(300, () => called.push('c'))
    clock.after(100, () => called.push('a'))
    clock.after(300, () => called.push('d'))
    clock.after(270, () => called.push('before c'))
    clock.after(200, () => called.push('b'))()
    expect(clock.nextAt).toBe(start + 100)
    clock.jumpTo(start + 100)
    expect(called).toEqual(['a'])
    expect(clock.nextAt).toBe(start + 270)
    clock.jumpTo(start + day)
    expect(called).toEqual(['a', 'before c', 'c', 'd'])
    expect(clock.nextAt).toBeNull()
  })

  it('stands still, and never goes back: not by a jump, not by a restart', () => {
    const clock = new WarpClock(path(), start)
    clock.jumpTo(start + 30 * day)
    clock.jumpTo(start)
    expect(clock.now()).toBe(start + 30 * day)
    expect(new WarpClock(path(), start + 1_000).now()).toBe(start + 30 * day)
    expect(new WarpClock(path(), start + 31 * day).now()).toBe(start + 31 * day)
  })
})

describe('warp', () => {
  const open = (next: { idle: boolean; due: number | null }, asked: () => void = () => undefined) => {
    const clock = new HandClock(start)
    const warped = new WarpClock(join(directory, 'business-time'), start)
    const notices: string[] = []
    let moved = 0
    const warp = new Warp({
      warped,
      clock,
      isIdle: () => {
        asked()
        return Promise.resolve(next.idle)
      },
      nextDue: () => next.due,
      moved: () => {
        moved += 1
      },
      notice: (line) => notices.push(line),
    })
    warp.start()
    const look = async (): Promise<number> => {
      for (let n = 0; n < 3; n++) await clock.turnTo(clock.now() + 5)
      return warped.now() - start
    }
    return { warp, warped, look, moved: () => moved, clock, notices }
  }

  it('stands still while somebody works, and jumps to what is due first when nobody does (WP1, WP2)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: false, due: start + 1_000 }
    const { warped, look, moved } = open(next)
    warped.after(10, () => (next.due = null))
    expect(await look()).toBe(0)
    next.idle = true
    expect(await look()).toBe(10 + alongAtLeastMs)
    expect(moved()).toBe(1)
    next.due = start + 500_000
    expect(await look()).toBeGreaterThanOrEqual(500_000)
    next.due = null
    const at = await look()
    expect(await look()).toBe(at)
  })

  it('takes along what is due shortly behind, the more the farther the jump, at most ten minutes (WP2)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: start + 10_000_000 }
    const { look } = open(next)
    expect(await look()).toBe(10_200_000)
    next.due = start + 10_200_000 + 30 * day
    expect(await look()).toBe(10_200_000 + 30 * day + 600_000)
  })

  it('stands still while somebody holds it, and no longer than that (WP3)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: start + 50 }
    const { warp, look, clock } = open(next)
    warp.hold('script', 60_000)
    warp.hold('dead', 1_000)
    expect(await look()).toBe(0)
    warp.release('script')
    expect(warp.holders).toEqual(['dead'])
    expect(await look()).toBe(0)
    await clock.turnTo(clock.now() + 1_000)
    expect(await look()).toBeGreaterThanOrEqual(50)
  })

  it('asks whether anybody works only where there is something to jump to', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: null }
    let asked = 0
    const { look, warp } = open(next, () => asked++)
    expect(await look()).toBe(0)
    expect(asked).toBe(0)
    next.due = start + 50
    warp.hold('script', 60_000)
    expect(await look()).toBe(0)
    expect(asked).toBe(0)
    warp.release('script')
    expect(await look()).toBeGreaterThanOrEqual(50)
    expect(asked).toBeGreaterThan(0)
  })

  it('stands still for who took hold while it was looked, and for what was due no more (WP1, WP3)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: start + 50 }
    const { look, warp } = open(next, () => warp.hold('script', 60_000))
    expect(await look()).toBe(0)
    const other = open(next, () => (next.due = null))
    expect(await other.look()).toBe(0)
    expect([other.warp.jumps, other.moved()]).toEqual([0, 0])
  })

  it('stands still when nobody has asked anything for ten minutes, says so once, and goes on with the next who does (WP5)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: null }
    const { warp, look, clock, notices } = open(next)
    await clock.turnTo(clock.now() + unseenAtMostMs - 100)
    next.due = start + 50
    expect(await look()).toBeGreaterThanOrEqual(50)
    await clock.turnTo(clock.now() + 1_000)
    const at = await look()
    next.due = start + day
    expect(await look()).toBe(at)
    expect(notices).toEqual([expect.stringContaining('nobody has asked anything')])
    warp.seen()
    expect(await look()).toBeGreaterThanOrEqual(day)
    await clock.turnTo(clock.now() + unseenAtMostMs + 100)
    await look()
    expect(notices).toHaveLength(2)
  })

  it('holds for ten minutes at most, whatever is asked for (WP3)', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: start + 50 }
    const { warp, look, clock } = open(next)
    warp.hold('script', day)
    await clock.turnTo(clock.now() + 599_000)
    expect(await look()).toBe(0)
    await clock.turnTo(clock.now() + 1_000)
    expect(await look()).toBeGreaterThanOrEqual(50)
  })

  it('jumps no more once it is stopped, though a look is under way', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: start + 50 }
    let stopping = Promise.resolve()
    const { look, warp } = open(next, () => {
      stopping = warp.stop()
    })
    expect(await look()).toBe(0)
    await stopping
    expect(await look()).toBe(0)
  })

  it('does not stop at a call that fails: the others are made, the applications told, the operator too', async () => {
    const next: { idle: boolean; due: number | null } = { idle: true, due: null }
    const { warped, look, moved, notices } = open(next)
    const called: number[] = []
    warped.after(10, () => {
      throw new Error('it broke')
    })
    warped.after(20, () => called.push(20))
    await look()
    expect(called).toEqual([20])
    expect(moved()).toBe(1)
    expect(notices).toEqual(['business time stands still, it is tried again: it broke'])
    warped.after(alongAtLeastMs * 2, () => called.push(30))
    await look()
    expect(called).toEqual([20, 30])
  })
})
