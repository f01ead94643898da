import { describe, expect, test } from 'vitest'
import {
  EngineError,
  TopologyBuilder,
  bytesSerde,
  describe as describeTopology,
  stringSerde,
} from '../../../topology/index.ts'
import { copartitionFindings } from '../../../topology/graph/validate.ts'

const source = { key: stringSerde, value: bytesSerde }
const nothing = { supplier: () => ({ process: () => undefined }) }
const operation = {
  concurrency: 1,
  timeoutMs: 1,
  lane: () => '',
  key: stringSerde,
  value: bytesSerde,
  call: async () => null,
  answered: () => undefined,
}

function findings(build: (builder: TopologyBuilder) => TopologyBuilder): string[] {
  try {
    build(new TopologyBuilder('app')).build()
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(EngineError)
    return (error as EngineError).message.split('\n')
  }
}

describe('validate: one clear line each', () => {
  const cases: [string, (builder: TopologyBuilder) => TopologyBuilder, string][] = [
    [
      'an unknown store',
      (b) =>
        b.source('in', { topic: 't', ...source }).processor('p', { parents: ['in'], stores: ['counts'], ...nothing }),
      'processor "p" uses unknown store "counts": declare it with store()',
    ],
    [
      'a name used twice',
      (b) => b.source('in', { topic: 't', ...source }).source('in', { topic: 'u', ...source }),
      'node "in" is declared twice: give one another name',
    ],
    [
      'a cycle',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .processor('a', { parents: ['in', 'b'], ...nothing })
          .processor('b', { parents: ['a'], ...nothing }),
      'nodes form a cycle: a -> b -> a: go through a topic instead',
    ],
    [
      'an unknown parent',
      (b) => b.source('in', { topic: 't', ...source }).processor('p', { parents: ['inn'], ...nothing }),
      'processor "p" reads from unknown node "inn"',
    ],
    [
      'one topic in two sources',
      (b) => b.source('a', { topic: 't', ...source }).source('b', { topic: 't', ...source }),
      'topic "t" is read by two sources: share one',
    ],
    [
      'a store of the wrong kind',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s', { kind: 'timers' })
          .processor('p', { parents: ['in'], stores: ['s'], ...nothing }),
      'processor "p" uses store "s" of kind timers where state or set-aside or window is needed',
    ],
    [
      'a window store that keeps less than a window',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s', { kind: 'window', windowSizeMs: 1000, retentionMs: 999 })
          .processor('p', { parents: ['in'], stores: ['s'], ...nothing }),
      'window store "s" keeps 999 ms of windows of 1000 ms: keep at least size and grace',
    ],
    [
      'a window of no length',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s', { kind: 'window', windowSizeMs: 0.5, retentionMs: 999 })
          .processor('p', { parents: ['in'], stores: ['s'], ...nothing }),
      'window store "s": size and retention are whole milliseconds above 0',
    ],
    [
      'a store nobody uses',
      (b) => b.source('in', { topic: 't', ...source }).store('s'),
      'store "s" is used by no node',
    ],
    [
      'a repartition nobody reads',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .repartition('r')
          .sink('out', { parents: ['in'], topics: ['r'], ...source }),
      'repartition "r" is read by no source',
    ],
    [
      'two parts without names',
      (b) => b.source('a', { topic: 't', ...source }).source('b', { topic: 'u', ...source }),
      'parts with sources "a" and "b" need names of their own: give them with part()',
    ],
    ['no source', (b) => b, 'application "app" has no source'],
    [
      'an illegal name',
      (b) => b.source('in put', { topic: 't', ...source }),
      'source "in put": a name is 1 to 200 of a-z A-Z 0-9 . _ -',
    ],
    [
      'a timer handled twice',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('timers', { kind: 'timers' })
          .processor('a', { parents: ['in'], timers: { store: 'timers', handles: ['x'] }, ...nothing })
          .processor('b', { parents: ['in'], timers: { store: 'timers', handles: ['x'] }, ...nothing }),
      'timer "timers: x" is handled by two processors: keep one',
    ],
    [
      'state upstream of an async operator',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s')
          .store('d', { kind: 'done' })
          .store('w', { kind: 'waiting' })
          .processor('p', { parents: ['in'], stores: ['s'], ...nothing })
          .async('call', {
            parents: ['p'],
            doneStore: 'd',
            waitingStore: 'w',
            operator: operation,
          }),
      'processor "p" keeps state upstream of async operator "call": put a repartition between them',
    ],
    [
      'a store that an async operator does not find',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('d', { kind: 'done' })
          .store('w', { kind: 'waiting' })
          .async('call', { parents: ['in'], doneStore: 'd', waitingStore: 'w', stores: ['s'], operator: operation }),
      'async "call" uses unknown store "s": declare it with store()',
    ],
    [
      'a store that an async operator cannot use',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('d', { kind: 'done' })
          .store('w', { kind: 'waiting' })
          .async('call', { parents: ['in'], doneStore: 'd', waitingStore: 'w', stores: ['w'], operator: operation }),
      'async "call" uses store "w" of kind waiting where state is needed',
    ],
    [
      'a set-aside store beside an async operator',
      (b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s', { kind: 'set-aside' })
          .store('d', { kind: 'done' })
          .store('w', { kind: 'waiting' })
          .async('call', { parents: ['in'], doneStore: 'd', waitingStore: 'w', operator: operation })
          .processor('p', { parents: ['call'], stores: ['s'], ...nothing }),
      'part "main" has a set-aside store beside async operator "call": put a repartition between them',
    ],
  ]
  test.each(cases)('%s', (_, build, line) => {
    expect(findings(build)).toEqual([line])
  })

  test('several findings come together', () => {
    expect(
      findings((b) =>
        b
          .source('in', { topic: 't', ...source })
          .store('s')
          .processor('p', { parents: ['x'], ...nothing }),
      ),
    ).toHaveLength(2)
  })
})

describe('parts', () => {
  const two = new TopologyBuilder('app')
    .source('a', { topic: 'ta', ...source })
    .source('b', { topic: 'tb', ...source })
    .source('c', { topic: 'tc', ...source })
    .store('shared')
    .processor('pa', { parents: ['a'], stores: ['shared'], ...nothing })
    .processor('pb', { parents: ['b'], stores: ['shared'], ...nothing })
    .processor('pc', { parents: ['c'], ...nothing })
    .part('shared-part', { source: 'b' })
    .part('lone-part', { source: 'c' })
    .build()

  test('nodes that share a store are one part; others are their own', () => {
    expect(two.subTopologies.map((part) => [part.name, part.nodes.map((node) => node.name).sort()])).toEqual([
      ['shared-part', ['a', 'b', 'pa', 'pb']],
      ['lone-part', ['c', 'pc']],
    ])
  })

  test('topics that share state must have equal partition counts; others need not', () => {
    expect(copartitionFindings(two, new Map([['ta', 3], ['tb', 3], ['tc', 5]]))).toEqual([]) // prettier-ignore
    expect(
      copartitionFindings(
        two,
        new Map([
          ['ta', 3],
          ['tb', 4],
          ['tc', 5],
        ]),
      ),
    ).toEqual([
      // prettier-ignore
      'application "app": topics that share state need the same number of partitions: ta has 3, tb has 4',
    ])
  })

  test('describe prints the wiring', () => {
    expect(describeTopology(two)).toBe(
      [
        'application app',
        '  part shared-part',
        '    source a (topic ta)',
        '    source b (topic tb)',
        '    processor pa [shared] <- a',
        '    processor pb [shared] <- b',
        '    store shared (state)',
        '  part lone-part',
        '    source c (topic tc)',
        '    processor pc <- c',
        '',
      ].join('\n'),
    )
  })

  test('a built topology cannot be changed', () => {
    expect(Object.isFrozen(two)).toBe(true)
    expect(Object.isFrozen(two.nodes[0])).toBe(true)
  })
})
