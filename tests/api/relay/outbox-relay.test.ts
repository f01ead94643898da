import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { OutboxRelay } from '../../../api/relay/index.ts'
import type { Log } from '../../../connectors/kafka/index.ts'
import { LogError, partitionFor } from '../../../connectors/kafka/index.ts'
import { clock, newLog, openRelayWorld, party, recordsIn, until } from './world.ts'
import type { RelayWorld } from './world.ts'

let world: RelayWorld
let log: Log
const started: OutboxRelay[] = []
beforeAll(async () => void (world = await openRelayWorld()))
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  await world.empty()
  log = await newLog()
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((relay) => relay.stop()))
  await log.close()
})

function start(options: Parameters<RelayWorld['relay']>[1] = {}, into: Log = log): OutboxRelay {
  const relay = world.relay(into, options)
  started.push(relay)
  relay.start()
  return relay
}
const allSent = async () => (await world.rows()).every((row) => row.sent_at !== null)
const never = { pollMs: 3_600_000 }

describe('the relay', () => {
  it('sends each row once, under its key, at its event’s time, and notes where it went', async () => {
    const events = [...(await world.put(party('a', 0), 3)), ...(await world.put(party('b', 0), 3))]
    start()
    await until(allSent)
    const records = await recordsIn(log)
    expect(new Set(records.map(({ event }) => event.event_id))).toEqual(new Set(events.map(({ event_id }) => event_id)))
    expect(records).toHaveLength(events.length)
    for (const row of await world.rows()) {
      const record = records.find(
        ({ topic, partition, offset }) =>
          topic === row.topic && partition === row.log_partition && String(offset) === row.log_offset,
      )
      expect(record).toMatchObject({ key: row.key, partition: partitionFor(Buffer.from(row.key), 3) })
      expect(record!.timestamp).toBe(record!.event.timestamp)
      expect(record!.event).toEqual(events.find(({ event_id }) => event_id === record!.event.event_id))
    }
  })

  it('keeps nothing of an event once it is sent: what was personal in it is gone from the outbox', async () => {
    await world.put(party('a', 0), 3)
    start()
    await until(allSent)
    for (const row of await world.rows()) expect(row.event).toBeNull()
  })

  it('hears of a commit in another process: NOTIFY wakes it, no poll is needed', async () => {
    const relay = start({ settings: never })
    await until(() => relay.leading)
    for (let n = 0; n < 5; n++) {
      await world.put(party('a', n), 1)
      await until(allSent)
    }
    expect(await recordsIn(log)).toHaveLength(5)
  })

  it('finds by its poll what no one announced', async () => {
    const relay = start({ settings: { pollMs: 10 } })
    await until(() => relay.leading)
    await world.owner.query('alter table auth.outbox disable trigger announce')
    try {
      await world.put(party('a', 0), 2)
      await until(allSent)
    } finally {
      await world.owner.query('alter table auth.outbox enable trigger announce')
    }
  })

  it('keeps the order of each key over many batches of few rows and few bytes', async () => {
    for (let n = 0; n < 12; n++) await world.put(party(n % 2 === 0 ? 'a' : 'b', n % 3), 5)
    const rows = await world.rows()
    start({ settings: { maxRows: 7, maxBytes: 900 } })
    await until(allSent)
    const batches = new Set((await world.rows()).map(({ batch }) => batch))
    expect(batches.size).toBeGreaterThan(60 / 7)
    const records = await recordsIn(log)
    for (const key of new Set(rows.map((row) => row.key))) {
      const put = rows.filter((row) => row.key === key).map((row) => row.event!.event_id)
      expect(records.filter((record) => record.key === key).map(({ event }) => event.event_id)).toEqual(put)
    }
  })

  it('loads what encoding needs, for the tenants of a batch', async () => {
    const asked: string[] = []
    await world.put(party('a', 0), 2)
    await world.put(party('b', 0), 2)
    start({ prepare: (tenantIds) => Promise.resolve(void asked.push(...tenantIds)) })
    await until(allSent)
    expect(new Set(asked)).toEqual(new Set([party('a', 0).tenantId, party('b', 0).tenantId]))
  })

  it('deletes what was sent long ago, and its numbers go on', async () => {
    await world.put(party('a', 0), 2)
    const first = start()
    await until(allSent)
    await first.stop()
    await world.put(party('a', 0), 2)
    start({ settings: { keepSentMs: -1000 } })
    await until(async () => (await world.rows()).every(({ batch }) => batch === '2'))
    await until(allSent)
    expect(await recordsIn(log)).toHaveLength(4)
  })

  it('goes on above the log’s number when the outbox is another one, so that no row is taken for sent', async () => {
    for (let n = 0; n < 3; n++) {
      await world.put(party('a', n), 1)
      await world.drain(log)
    }
    await world.empty()
    await world.put(party('b', 0), 2)
    await world.drain(log)
    expect((await world.rows()).map(({ batch }) => batch)).toEqual(['4', '4'])
    expect(await recordsIn(log)).toHaveLength(5)
  })
})

describe('several relays', () => {
  it('one leads; when it stops another goes on, and no row is sent twice', async () => {
    const [one, two] = [start(), start()]
    await until(() => one.leading || two.leading)
    expect(one.leading && two.leading).toBe(false)
    await world.put(party('a', 0), 3)
    await until(allSent)
    const [leader, other] = one.leading ? [one, two] : [two, one]
    await leader.stop()
    await world.put(party('b', 0), 3)
    await until(allSent)
    expect(other.leading).toBe(true)
    expect(await recordsIn(log)).toHaveLength(6)
  })

  it('a leader whose connection is cut leads again', async () => {
    const relay = start({ settings: { pollMs: 10 } })
    await world.put(party('a', 0), 1)
    await until(allSent)
    await world.cutLeader()
    await world.put(party('a', 0), 1)
    await until(allSent)
    await until(() => relay.leading)
    expect(await recordsIn(log)).toHaveLength(2)
  })

  it('a zombie that comes back in the middle of its batch is fenced: its records are never seen', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    onTestFinished(release)
    let reached = false
    const slow = new Proxy(log, {
      get(target, name) {
        if (name !== 'openProducer') return (Reflect.get(target, name) as () => unknown).bind(target)
        return async (options: Parameters<Log['openProducer']>[0]) => {
          const producer = await target.openProducer(options)
          const end = producer.end.bind(producer)
          producer.end = async (outcome) => {
            reached = true
            await held
            await end(outcome)
          }
          return producer
        }
      },
    })
    await world.put(party('a', 0), 3)
    const notices: string[] = []
    start({ notice: (line) => notices.push(line) }, slow)
    await until(() => reached)
    await world.cutLeader()
    const next = start()
    await until(allSent)
    await until(() => next.leading)
    release()
    await until(() => notices.some((line) => line.includes('another producer')))
    expect(await recordsIn(log)).toHaveLength(3)
  })
})

describe('trouble', () => {
  it('waits while the log cannot take it, says so once, and then sends', async () => {
    let broken = true
    const flaky = new Proxy(log, {
      get(target, name) {
        if (name === 'openProducer' && broken)
          return () => Promise.reject(new LogError('STORAGE_FULL', 'disk full', 'retry'))
        return (Reflect.get(target, name) as () => unknown).bind(target)
      },
    })
    const notices: string[] = []
    await world.put(party('a', 0), 2)
    start({ notice: (line) => notices.push(line) }, flaky)
    await until(() => notices.length > 0)
    await new Promise((later) => setTimeout(later, 50))
    expect(notices).toEqual(['the outbox waits: disk full'])
    broken = false
    await until(allSent)
  })

  it('a row that cannot be encoded is set aside; rows behind it under its key wait, others go; put right, all go in order', async () => {
    const [bad] = await world.put(party('a', 0), 2)
    await world.put(party('b', 0), 2)
    await world.put(party('a', 0), 2)
    let fixed = false
    const encode = (_: string, event: { event_id: string }): Buffer => {
      if (event.event_id === bad!.event_id && !fixed) throw new TypeError('does not fit')
      return Buffer.from(JSON.stringify(event))
    }
    const notices: string[] = []
    const relay = start({ encode, notice: (line) => notices.push(line) })
    const before = await world.rows()
    const blocked = before
      .filter((row) => row.key === before[0]!.key && row.topic === before[0]!.topic)
      .map(({ id }) => id)
    await until(async () => (await world.rows()).every((row) => row.sent_at !== null || blocked.includes(row.id)))
    const aside = (await world.rows()).filter((row) => row.sent_at === null)
    expect(aside.map(({ id }) => id)).toEqual(blocked)
    expect(aside.map(({ failed_at }) => failed_at !== null)).toEqual(blocked.map((_, n) => n === 0))
    expect(notices).toEqual([
      `outbox:${blocked[0]} (email_verified) cannot be encoded and was set aside: TypeError: does not fit`,
    ])
    fixed = true
    await world.owner.query('update auth.outbox set failed_at = null, failure = null')
    relay.nudge()
    await until(allSent)
    const records = (await recordsIn(log)).filter(
      ({ key, topic }) => key === before[0]!.key && topic === before[0]!.topic,
    )
    expect(records.map(({ event }) => event.event_id)).toEqual(
      before.filter((row) => blocked.includes(row.id)).map((row) => row.event!.event_id),
    )
  })

  it('a stamped row that no longer encodes leaves its batch, with those behind it; nothing of them is lost', async () => {
    const events = await world.put(party('a', 0), 5)
    await world.put(party('b', 0), 2)
    await world.owner.query('update auth.outbox set batch = 1')
    const auth = events.filter(({ event_type }) => event_type === 'email_verified')
    let fixed = false
    const encode = (_: string, event: { event_id: string }): Buffer => {
      if (event.event_id === auth[1]!.event_id && !fixed) throw new TypeError('does not fit')
      return Buffer.from(JSON.stringify(event))
    }
    const relay = start({ encode })
    await until(async () => (await world.rows()).filter((row) => row.sent_at === null).length === auth.length - 1)
    fixed = true
    await world.owner.query('update auth.outbox set failed_at = null, failure = null')
    relay.nudge()
    await until(allSent)
    const records = await recordsIn(log)
    expect(records).toHaveLength(7)
    const ids = records
      .filter(({ topic, key }) => topic === 'auth_events' && key.startsWith('aaaaaaaa'))
      .map(({ event }) => event.event_id)
    expect(ids).toEqual(auth.map(({ event_id }) => event_id))
  })

  it('refuses to guess when someone moved the group’s offset', async () => {
    await world.put(party('a', 0), 1)
    await world.drain(log)
    const producer = await log.openProducer({ transactionalId: 'meddler', transactionTimeoutMs: 10_000 })
    producer.begin()
    await producer.sendOffsets({ groupId: 'outbox-relay', generationId: -1, memberId: '', groupInstanceId: null }, [
      { topic: 'auth_events', partition: 0, offset: 0n, metadata: '' },
    ])
    await producer.end('commit')
    await producer.close()
    await world.put(party('a', 0), 1)
    const notices: string[] = []
    start({ notice: (line) => notices.push(line) })
    await until(() => notices.length > 0)
    expect(notices[0]).toContain("is not the relay's")
    expect(await recordsIn(log)).toHaveLength(1)
  })
})

describe('resolve', () => {
  it('gives the record of a row, waiting for it to be sent, also on a relay that does not lead', async () => {
    const [leader, other] = [start(), start()]
    await until(() => leader.leading || other.leading)
    await world.put(party('a', 0), 1)
    const [row] = await world.rows()
    for (const relay of [leader, other]) {
      const position = await relay.resolve(row!.id, 5000)
      const [record] = await recordsIn(log)
      expect(position).toEqual({ topic: record!.topic, partition: record!.partition, offset: record!.offset })
    }
  })

  it('gives null when the time is up, and at once for what is no row', async () => {
    await world.put(party('a', 0), 1)
    const [row] = await world.rows()
    const relay = world.relay(log)
    const begun = clock.now()
    expect(await relay.resolve(row!.id, 60)).toBeNull()
    expect(clock.now() - begun).toBeGreaterThanOrEqual(60)
    for (const id of ['999999999', '', 'x', '-1', '0', '1e3', '1;select', '9'.repeat(30)]) {
      expect(await relay.resolve(id, 60_000)).toBeNull()
    }
  })
})
