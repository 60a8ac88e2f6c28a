import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    url: string
  }
}

/** Starts the real server, with a simulated Parliament behind it, for all tests together. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let binary = process.env.EXPLORER_BIN
  if (!binary) {
    binary = join(mkdtempSync(join(tmpdir(), 'explorer-')), 'explorer')
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: resolve(import.meta.dirname, '../../..'), stdio: 'inherit' })
  }
  const server = spawn(binary, ['demo'], { stdio: ['ignore', 'pipe', 'pipe'] })
  project.provide('url', await addressOf(server))
  return async () => {
    const ended = new Promise((done) => server.once('exit', done))
    server.kill('SIGINT')
    await ended
  }
}

function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((ready, fail) => {
    let address: string | undefined
    let said = ''
    for (const stream of [server.stdout!, server.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        said += line + '\n'
        address ??= /Ready after .* at (http:\S+)/.exec(line)?.[1]
        if (address && line.includes('Ctrl-C stops')) ready(address)
      })
    }
    server.once('exit', () => fail(new Error('the server ended:\n' + said)))
  })
}
