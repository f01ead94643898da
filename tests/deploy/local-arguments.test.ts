import { describe, expect, test } from 'vitest'
import { readLocalArguments } from '../../deploy/local/arguments.ts'

const read = (line: string): ReturnType<typeof readLocalArguments> => readLocalArguments(line.split(' '))

describe('the command line of npm run local', () => {
  test('a name alone: its usual port, its directory below .data/local', () => {
    expect(read('kafka')).toEqual([{ name: 'kafka', port: 9092, nodes: 1, directory: '.data/local/kafka' }])
    expect(read('postgres registry redis')).toMatchObject([
      { name: 'postgres', port: 5432 },
      { name: 'registry', port: 8081, directory: '.data/local/registry' },
      { name: 'redis', port: 6379 },
    ])
  })

  test('options are those of the server before them', () => {
    expect(read('kafka --nodes 3 --port 19092 registry --directory /data/r --port=18081')).toEqual([
      { name: 'kafka', port: 19092, nodes: 3, directory: '.data/local/kafka' },
      { name: 'registry', port: 18081, nodes: 1, directory: '/data/r' },
    ])
  })

  test.each([
    ['kafak', 'kafak: is not a server; wanted kafka, registry, redis, postgres, s3'],
    ['kafka kafka', 'kafka: is named twice; wanted once'],
    ['--port 1 kafka', '--port: comes before any server; wanted after the one it is for'],
    ['kafka --prot 1', '--prot: is not an option; wanted --port, --directory or --nodes'],
    ['kafka -p 1', '-p: is not an option; wanted --port, --directory or --nodes'],
    ['kafka --port', '--port: wanted a value after it'],
    ['kafka --port=', '--port: wanted a value after it'],
    ['kafka --port 1 --port 2', '--port: is given twice for kafka; wanted once'],
    ['kafka --port 9092x', '--port: 9092x is given; wanted a whole number from 1 to 65535'],
    ['kafka --port 0', '--port: 0 is given; wanted a whole number from 1 to 65535'],
    ['kafka --port 65535 --nodes 2', '--port: 65535 is given; wanted a whole number from 1 to 65534'],
    ['kafka --nodes 6', '--nodes: 6 is given; wanted a whole number from 1 to 5'],
    ['kafka --nodes 0', '--nodes: 0 is given; wanted a whole number from 1 to 5'],
    ['redis --nodes 2', '--nodes: is given for redis; only kafka can have several'],
    ['kafka --nodes 3 redis --port 9094', '--port: kafka and redis would share one; give one of them another'],
    ['redis --port 9094 kafka --nodes 3', '--port: redis and kafka would share one; give one of them another'],
    ['--', 'wanted a server: kafka, registry, redis, postgres, s3'],
  ])('%s: one line', (line, finding) => {
    expect(read(line)).toBe(finding)
  })

  test('neighbours do not share', () => {
    expect(read('kafka --nodes 3 redis --port 9095')).toHaveLength(2)
    expect(read('redis --port 9091 kafka --nodes 3')).toHaveLength(2)
  })
})
