import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { isSamePath, samePath, webAddress } from './same-site'

/** The table of cases, shared with the server's tests. */
const rows = JSON.parse(
  readFileSync(new URL('../../../server/access/testdata/same_site.json', import.meta.url), 'utf8'),
) as { path: string; same: boolean; why: string }[]

test('only paths of this server are taken', () => {
  expect(rows.length).toBeGreaterThan(80)
  expect(rows.filter((row) => isSamePath(row.path) !== row.same)).toEqual([])
})

test('what is taken leads to this server, and what is not is replaced', () => {
  for (const row of rows) {
    const to = samePath(row.path, '/ui/')
    expect(to).toBe(row.same ? row.path : '/ui/')
    expect(new URL(to, 'https://here.example/ui/sign-in').origin).toBe('https://here.example')
  }
  expect(samePath(undefined, '/ui/runs')).toBe('/ui/runs')
})

test('a link of data is one of the web, or none', () => {
  expect(webAddress('https://www.parl.ca/legisinfo/')).toBe('https://www.parl.ca/legisinfo/')
  expect(webAddress('http://example.org')).toBe('http://example.org')
  for (const bad of [
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '/ui/',
    'nothing',
    '',
    null,
    undefined,
  ])
    expect(webAddress(bad)).toBeUndefined()
})
