import { test as base } from '@playwright/test'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** The real program with a simulated Parliament. */
export interface Explorer {
  url: string
  /** The data folder of the embedded Postgres. */
  data: string
  /** The control address of the simulation. */
  control: (command: string) => Promise<void>
  stop: () => Promise<void>
  /** Restarts the server with additional settings. */
  start: (more?: Record<string, string>) => Promise<void>
  /** Runs a command on the same data and returns its output. */
  cli: (...args: string[]) => string
  api: <T = Record<string, unknown>>(path: string, body?: unknown) => Promise<T>
  /** Starts a run, waits until it has ended and returns its id. */
  materialize: (asset: string, config?: unknown) => Promise<string>
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

/** Starts a program and waits for a matching line of output. */
function launch(
  binary: string,
  args: string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<{ process: ChildProcess; match: RegExpExecArray }> {
  const child = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  return new Promise((done, fail) => {
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said += line + '\n'
        const match = ready.exec(line)
        if (match) done({ process: child, match })
      })
    }
    child.once('exit', (code) => fail(new Error(`${args[0]} ended with ${code}:\n${said}`)))
  })
}

function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode !== null ? Promise.resolve() : new Promise((done) => child.once('exit', done))
}

export const test = base.extend<object, { explorer: Explorer }>({
  page: async ({ page }, use) => {
    await use(page)
    await page.unrouteAll({ behavior: 'ignoreErrors' }) // the page may still fetch something
  },
  explorer: [
    async ({}, use) => {
      const dir = mkdtempSync(join(tmpdir(), 'explorer-e2e-'))
      chmodSync(dir, 0o755) // as root, Postgres runs as another user, who must be able to enter the folder
      let binary = process.env.EXPLORER_BIN
      if (!binary) {
        binary = join(dir, 'explorer')
        execFileSync('go', ['build', '-o', binary, '.'], {
          cwd: resolve(import.meta.dirname, '../..'),
          stdio: 'inherit',
        })
      }
      const simulation = await launch(binary, ['simulate', '--addr', '127.0.0.1:0'], {}, /(http:\/\/127\.0\.0\.1:\d+)/)
      const sources = simulation.match[1]!
      const addr = `127.0.0.1:${await freePort()}`
      const env = {
        DATA_DIR: join(dir, 'data'),
        ADDR: addr,
        OPENPARLIAMENT_URL: sources,
        LEGISINFO_URL: sources + '/legisinfo',
        OPENPARLIAMENT_RPS: '0',
        LEGISINFO_RPS: '0',
        LOG_FORMAT: 'text',
      }
      let server: ChildProcess
      const start = async (more: Record<string, string> = {}) => {
        server = (await launch(binary, ['dev'], { ...env, ...more }, /msg=ready/)).process
      }
      const stop = async () => {
        server.kill('SIGTERM')
        await ended(server)
      }
      await start()
      const url = `http://${addr}`
      const api = async <T>(path: string, body?: unknown): Promise<T> => {
        const answer = await fetch(
          url + path,
          body === undefined
            ? {}
            : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) },
        )
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
        return (await answer.json()) as T
      }
      await use({
        url,
        data: env.DATA_DIR,
        start,
        stop,
        cli: (...args) =>
          execFileSync(binary, args, {
            env: { ...process.env, ...env },
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'pipe'],
          }),
        api,
        control: async (command) => {
          const answer = await fetch(`${sources}/control/${command}`, { method: 'POST' })
          if (!answer.ok) throw new Error(`${command}: ${answer.status} ${await answer.text()}`)
        },
        materialize: async (asset, config = {}) => {
          const run = await api<{ id: string }>(`/assets/${asset}/materialize`, { config })
          // The stream ends when the run has ended.
          await (await fetch(`${url}/runs/${run.id}/events`, { headers: { Accept: 'text/event-stream' } })).text()
          return run.id
        },
      })
      await stop()
      simulation.process.kill('SIGTERM')
      await ended(simulation.process)
      rmSync(dir, { recursive: true, force: true })
    },
    { scope: 'worker', timeout: 300_000 },
  ],
})

export { expect } from '@playwright/test'
