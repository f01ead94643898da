/**
 * Commands to the process that holds DATA_DIR, over a socket in it: one JSON line asks, JSON lines answer, the last one
 * has `done` or `error`. Whoever may open the directory may ask.
 */

import { rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface AdminRequest {
  readonly command: string
  readonly args: readonly string[]
}

/** Answers a command; `say` sends lines on the way. @throws Error with one line for the person who asked */
export type AdminCommand = (args: readonly string[], say: (line: string) => void) => Promise<void>

interface Reply {
  readonly line?: string
  readonly error?: string
  readonly done?: true
}

const socketPath = (directory: string): string => join(directory, 'admin.sock')

export interface AdminSocket {
  close(): Promise<void>
}

export async function serveAdmin(
  directory: string,
  commands: Readonly<Record<string, AdminCommand>>,
): Promise<AdminSocket> {
  rmSync(socketPath(directory), { force: true })
  const server = createServer((socket) => {
    const reply = (message: Reply): void => void socket.write(`${JSON.stringify(message)}\n`)
    socket.on('error', () => socket.destroy())
    socket.setTimeout(600_000, () => socket.destroy())
    createInterface({ input: socket }).once('line', (line) => {
      answer(commands, line, (text) => reply({ line: text })).then(
        () => socket.end(`${JSON.stringify({ done: true } satisfies Reply)}\n`),
        (error: unknown) =>
          socket.end(
            `${JSON.stringify({ error: error instanceof Error ? error.message : String(error) } satisfies Reply)}\n`,
          ),
      )
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath(directory), resolve)
  })
  return { close: () => new Promise((resolve) => server.close(() => resolve())) }
}

async function answer(
  commands: Readonly<Record<string, AdminCommand>>,
  line: string,
  say: (line: string) => void,
): Promise<void> {
  const { command, args } = JSON.parse(line) as AdminRequest
  const run = Object.hasOwn(commands, command) ? commands[command] : undefined
  if (run === undefined) throw new Error(`unknown command "${command}"; known are ${Object.keys(commands).join(', ')}`)
  await run(args, say)
}

/** Asks the process that holds the directory. @throws Error with one line when none runs or the command failed */
export async function askAdmin(directory: string, request: AdminRequest, print: (line: string) => void): Promise<void> {
  const socket = connect(socketPath(directory))
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', () => reject(new Error(`nothing runs on ${directory}: start it with "npm start" first`)))
  })
  socket.write(`${JSON.stringify(request)}\n`)
  for await (const line of createInterface({ input: socket })) {
    const reply = JSON.parse(line) as Reply
    if (reply.line !== undefined) print(reply.line)
    if (reply.error !== undefined) throw new Error(reply.error)
    if (reply.done) return
  }
  throw new Error('the process ended before it answered')
}
