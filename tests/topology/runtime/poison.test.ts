import { describe, expect, test } from 'vitest'
import { openMemoryLog } from '../../../connectors/kafka/index.ts'
import { HandClock } from '../../../topology/testing/index.ts'
import { header, pairs, random, send, sendBatch, t0, useDrivers } from './harness.ts'
import { countProgram, emitProgram, out } from './programs.ts'

const { start } = useDrivers()

/** Passes records on; a value that begins with "!" throws. */
const echo = emitProgram(({ key, value, timestamp }) => {
  if (value.startsWith('!')) throw new Error('the step broke')
  return [out(key, value, timestamp)]
})

describe('a poison record that is extreme in itself is still one dead letter, and others go on (R5)', () => {
  test.each([
    ['just under 1 MiB', 1_048_400],
    ['of 8 MB', 8_000_000],
  ])('one %s: without its value, which would not fit', async (_, bytes) => {
    const clock = new HandClock(t0)
    const log = openMemoryLog({ clock, random })
    await log.createTopics([{ name: 'in', partitions: 1, config: { 'max.message.bytes': '16000000' } }])
    const driver = await start({ topologies: [echo], clock, log })
    await sendBatch(log, { topic: 'in' }, [{ key: 'a|k', value: `!${'a'.repeat(bytes)}`, timestamp: t0 }])
    await send(driver, 'in', 'b|k', 'x')
    await driver.settle()
    const dead = await driver.read('in.dlq')
    expect(dead.map((record) => [record.key?.toString(), record.value])).toEqual([['a|k', null]])
    expect(header(dead[0], 'dlq-offset')).toBe('0')
    expect(header(dead[0], 'dlq-message')).toBe('Error: the step broke')
    expect(pairs(await driver.read('out'))).toEqual(['b|k=x'])
  })

  test('one with a key over 64 KiB: its key cannot be blocked (B1)', async () => {
    const driver = await start({ topologies: [countProgram()] })
    const key = `a|${'k'.repeat(70_000)}`
    await send(driver, 'words', key, 'throw')
    await send(driver, 'words', key, 'x')
    await send(driver, 'words', 'b|k', 'x')
    await driver.settle()
    expect(pairs(await driver.read('words.dlq'))).toEqual([`${key}=throw`])
    expect(pairs(await driver.read('counts-out'))).toEqual([`${key}=1`, 'b|k=1'])
    expect(driver.worker.application('counter')?.blocked()).toEqual([])
  })

  test('one too large to wait behind its blocked key is a dead letter too; the key stays blocked (B1)', async () => {
    const driver = await start({ topologies: [countProgram()] })
    await send(driver, 'words', 'a|k', 'throw')
    await send(driver, 'words', 'a|k', 'x'.repeat(950_000))
    await send(driver, 'words', 'a|k', 'x')
    await send(driver, 'words', 'b|k', 'x')
    await driver.settle()
    const dead = await driver.read('words.dlq')
    expect(dead.map((record) => header(record, 'dlq-reason'))).toEqual(['step_failed', 'too_large_to_set_aside'])
    expect(driver.worker.application('counter')?.blocked()).toMatchObject([{ key: 'a|k', count: 2 }])
    expect(pairs(await driver.read('counts-out'))).toEqual(['b|k=1'])
  })

  test('one with a timestamp before 1970, where the output would carry it on', async () => {
    const driver = await start({ topologies: [echo] })
    await send(driver, 'in', 'a|k', 'x', -5)
    await send(driver, 'in', 'b|k', 'x', t0)
    await driver.settle()
    const dead = await driver.read('in.dlq')
    expect(pairs(dead)).toEqual(['a|k=x'])
    expect(header(dead[0], 'dlq-reason')).toBe('bad_timestamp')
    expect(pairs(await driver.read('out'))).toEqual(['b|k=x'])
  })
})
