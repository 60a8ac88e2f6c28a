import { expect, test, vi } from 'vitest'

import { groupWords, keysOf, partitionWords } from './partitions'

vi.stubGlobal('navigator', { languages: ['en-CA', 'fr-CA'] })

const sessions = ['42-1', '43-1', '43-2', '44-1']
const days = ['2026-02-28', '2026-03-01', '2026-03-02', '2026-04-01']

test.each([
  ['43-2', ['43-2']],
  ['43', ['43-1', '43-2']],
  ['all of the 43rd', ['43-1', '43-2']],
  ['toute la 43e législature', ['43-1', '43-2']],
  ['42..43', ['42-1', '43-1', '43-2']],
  ['43-2..', ['43-2', '44-1']],
  ['..43-1', ['42-1', '43-1']],
  ['44..42', []],
  ['46', []],
  ['', []],
])('sessions: %s', (text, want) => expect(keysOf(text, sessions)).toEqual(want))

test.each([
  ['2026-03', ['2026-03-01', '2026-03-02']],
  ['2026-02..2026-03-01', ['2026-02-28', '2026-03-01']],
  ['2026-05', []],
  ['3', []],
])('days: %s', (text, want) => expect(keysOf(text, days)).toEqual(want))

test('words', () => {
  expect(partitionWords('43-2', 'en')).toBe('43rd Parliament, 2nd session (43-2)')
  expect(partitionWords('2026-03-07', 'fr')).toBe('7 mars 2026 (2026-03-07)')
  expect(partitionWords('other', 'en')).toBe('other')
  expect(groupWords('43', 'fr')).toBe('43e législature')
  expect(groupWords('2026-03', 'en')).toBe('March 2026')
})
