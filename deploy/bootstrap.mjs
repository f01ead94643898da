/**
 * The first file that runs: `node deploy/bootstrap.mjs <command> [arguments]`, what every npm script calls.
 *
 * It needs nothing but Node 20 and npm. It installs what is missing, then runs the command under the Node 24 that came
 * with the install. Plain JavaScript without dependencies, because at this point there is nothing else.
 *
 *  B1  An install is complete exactly when its stamp (the hash of package-lock.json) stands in node_modules; the stamp
 *      is removed before an install begins and written after it was checked, so an interrupted one is done again.
 *  B2  Only one install at a time: a second command waits for the first.
 *  B3  The command's exit code is ours; a signal reaches it once.
 */

import { spawn, spawnSync } from 'child_process'
import { createHash } from 'crypto'
import fs from 'fs'
import path from 'path'
import { fileURLToPath } from 'url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const modules = path.join(root, 'node_modules')
const stampFile = path.join(modules, '.install-stamp')
const installLock = path.join(root, '.install.lock')
const installLog = path.join(root, 'install.log')
const node24 = path.join(modules, '.bin', 'node')

const commands = {
  start: ['deploy/bin/start.ts'],
  test: ['deploy/bin/verify.ts', 'test'],
  check: ['deploy/bin/verify.ts', 'check'],
  projections: ['deploy/bin/projections.ts'],
  admin: ['deploy/bin/admin.ts'],
  'example:acquire': ['examples/acquire.ts'],
  chaos: ['deploy/chaos/chaos.ts'],
  local: ['deploy/bin/local.ts'],
  'kafka-tool': ['deploy/bin/kafka-tool.ts'],
  pictures: ['tests/console/pictures.ts'],
  simulate: ['tests/simulation/main.ts'],
  conformance: ['tests/conformance/main.ts'],
  'kafka-acls': ['deploy/bin/kafka-acls.ts'],
}

/** One line, and out. */
function fail(line, code = 1) {
  process.stderr.write(`${line}\n`)
  process.exit(code)
}

function hashOfLock() {
  const hash = createHash('sha256').update(fs.readFileSync(path.join(root, 'package-lock.json')))
  // A tree copied from another kind of machine holds binaries that do not run here.
  return hash.update(`${process.platform}-${process.arch}`).digest('hex')
}

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function isInstalled() {
  const wanted = hashOfLock()
  if (!fs.existsSync(node24)) return false
  const stamp = readText(stampFile)
  if (stamp === wanted) return true
  // No stamp at all: somebody ran npm by hand. What they installed is taken over if it is what the lock says.
  if (stamp !== null || !lockIsSatisfied()) return false
  fs.writeFileSync(stampFile, wanted)
  return true
}

/** Whether npm's own record of what stands in node_modules has every package of package-lock.json in its version. */
function lockIsSatisfied() {
  const record = readText(path.join(modules, '.package-lock.json'))
  if (record === null) return false
  const installed = JSON.parse(record).packages
  const wanted = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '') return true
    const found = installed[name]
    return found === undefined ? entry.optional === true : found.version === entry.version
  })
}

/** PATH without any node_modules/.bin: npm must not run under the Node that it is about to replace. */
function outsidePath() {
  const own = path.join(modules, '.bin')
  return (process.env.PATH || '')
    .split(path.delimiter)
    .filter((directory) => path.resolve(directory) !== own)
    .join(path.delimiter)
}

function findInPath(name) {
  for (const directory of outsidePath().split(path.delimiter)) {
    const file = path.join(directory, name)
    if (directory !== '' && fs.existsSync(file)) return file
  }
  return null
}

/** How npm is started here: its script under a Node of the machine, or null when there is none. */
function npmCommand() {
  const script = process.env.npm_execpath
  if (script !== undefined && /npm-cli\.js$/.test(script) && fs.existsSync(script)) {
    return { file: findInPath('node') || process.execPath, args: [script] }
  }
  const npm = findInPath('npm')
  return npm === null ? null : { file: npm, args: [] }
}

async function install() {
  const npm = npmCommand()
  if (npm === null) fail('npm was not found: install Node 20 or later with npm, then run this again')
  await takeInstallLock()
  process.once('exit', releaseInstallLock)
  try {
    if (isInstalled()) return
    fs.rmSync(stampFile, { force: true })
    await runNpm(npm)
    checkNode()
    fs.writeFileSync(stampFile, hashOfLock())
    fs.rmSync(installLog, { force: true })
  } finally {
    releaseInstallLock()
  }
}

async function takeInstallLock() {
  for (let told = false; ; told = true) {
    try {
      fs.writeFileSync(installLock, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`cannot write ${installLock}: ${error.message}`)
    }
    const holder = Number(readText(installLock))
    if (!isAlive(holder)) fs.rmSync(installLock, { force: true })
    else if (!told) process.stdout.write(`waiting for another install (process ${holder})\n`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

function releaseInstallLock() {
  if (readText(installLock) === String(process.pid)) fs.rmSync(installLock, { force: true })
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function runNpm(npm) {
  // Development and optional packages hold Node 24 and the binaries: wanted whatever NODE_ENV or npm's settings say.
  const flags = ['--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress', '--loglevel=info']
  const child = spawn(npm.file, [...npm.args, 'ci', ...flags], {
    cwd: root,
    env: { ...process.env, PATH: outsidePath() },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = fs.createWriteStream(installLog)
  const progress = reportProgress()
  const read = (chunk) => {
    log.write(chunk)
    progress.read(String(chunk))
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const stop = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`npm could not be started: ${error.message}`))
    child.on('close', (code, signal) => {
      progress.end()
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeListener(name, stop)
      log.end(() => (code === 0 ? resolve() : installFailed(code, signal)))
    })
  })
}

function installFailed(code, signal) {
  if (signal !== null || code === 130) fail('install interrupted; the next command starts it again', 130)
  const lines = (readText(installLog) || '')
    .split('\n')
    .filter((line) => line !== '' && !/^npm (http|info|warn)/.test(line))
  process.stderr.write(`${lines.slice(-30).join('\n')}\n`)
  fail(`install failed (npm ci ended with ${code}); the whole log is in ${installLog}`)
}

/** Counts what npm says it does, and shows it: one line rewritten on a terminal, a line every few seconds elsewhere. */
function reportProgress() {
  const total =
    Object.keys(JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages).length - 1
  const startedAt = Date.now()
  const terminal = process.stdout.isTTY === true
  const fetched = new Set()
  let phase = 'asking npm for the packages'
  let shown = ''
  const show = () => {
    const seconds = Math.round((Date.now() - startedAt) / 1000)
    const line = `installing, the first time only: ${phase} (${seconds} s)`
    if (terminal) process.stdout.write(`\r\x1b[K${line}`)
    else if (phase !== shown) process.stdout.write(`${line}\n`)
    shown = phase
  }
  const timer = setInterval(show, terminal ? 250 : 3000)
  show()
  return {
    read(text) {
      for (const match of text.matchAll(
        /npm http (?:fetch GET 2|cache )\S* ?(\S+\.tgz)|npm info run (\S+) \w+ (?!\{)/g,
      )) {
        if (match[1] !== undefined) fetched.add(match[1])
        phase =
          match[2] === undefined ? `${fetched.size} of at most ${total} packages fetched` : `setting up ${match[2]}`
      }
    },
    end() {
      clearInterval(timer)
      const seconds = Math.round((Date.now() - startedAt) / 1000)
      process.stdout.write(`${terminal ? '\r\x1b[K' : ''}installed in ${seconds} s\n`)
    },
  }
}

/** Node 24 is put in place by an install script; where npm was told to run none, say so instead of failing later. */
function checkNode() {
  const answer = spawnSync(node24, ['--version'], { encoding: 'utf8' })
  if (answer.status === 0 && /^v24\./.test(answer.stdout)) return
  fail(
    'Node 24 is missing after the install: npm ran no install scripts (is ignore-scripts set?); ' +
      'run "npm ci --ignore-scripts=false", then this again',
  )
}

function run(args) {
  const child = spawn(node24, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: [path.join(modules, '.bin'), outsidePath()].join(path.delimiter) },
  })
  // On a terminal Ctrl-C reaches the command by itself (same process group), and npm sends us a second one.
  const forwarded = process.stdin.isTTY === true ? ['SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (forwarded.includes(signal)) child.kill(signal)
    })
  }
  child.on('error', (error) => fail(`Node 24 could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code === null ? 128 + (signalNumbers[signal] || 0) : code))
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }

const command = commands[process.argv[2]]
if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node 20 or later is needed; this is ${process.version}`)
} else if (command === undefined) {
  fail(`usage: node deploy/bootstrap.mjs ${Object.keys(commands).join('|')} [arguments]`, 64)
} else {
  const ready = isInstalled() ? Promise.resolve() : install()
  ready.then(
    () => run([path.join(root, command[0]), ...command.slice(1), ...process.argv.slice(3)]),
    (error) => fail(`install failed: ${error.message}`),
  )
}
