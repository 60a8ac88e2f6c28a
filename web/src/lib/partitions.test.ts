import { expect, test, vi } from 'vitest'

import { groupOf, groupWords, keysOf, mapRows, neighbour, partitionWords } from './partitions'

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
  ['2026', days],
  ['2026-0', []],
  ['3', []],
])('days: %s', (text, want) => expect(keysOf(text, days)).toEqual(want))

test('words', () => {
  expect(partitionWords('43-2', 'en')).toBe('43rd Parliament, 2nd session (43-2)')
  expect(partitionWords('2026-03-07', 'fr')).toBe('7 mars 2026 (2026-03-07)')
  expect(partitionWords('other', 'en')).toBe('other')
  expect(groupWords('43', 'fr')).toBe('43e législature')
  expect(groupWords('2026-03', 'en')).toBe('March 2026')
  expect(groupWords(groupOf('2026-03-07T05:00-05:00')!, 'en')).toBe('March 7, 2026')
})

test('a group begins a row', () => {
  expect(mapRows(days, 1, false)).toEqual([
    { group: '2026-02', from: 0, to: 1 },
    { group: '2026-03', from: 1, to: 2 },
    { from: 2, to: 3 },
    { group: '2026-04', from: 3, to: 4 },
  ])
  expect(mapRows(days, 9, true)).toEqual([
    { group: '2026-02', from: 0, to: 0 },
    { from: 0, to: 1 },
    { group: '2026-03', from: 1, to: 1 },
    { from: 1, to: 3 },
    { group: '2026-04', from: 3, to: 3 },
    { from: 3, to: 4 },
  ])
  expect(mapRows(['a', 'b', 'c'], 2, false)).toEqual([
    { from: 0, to: 2 },
    { from: 2, to: 3 },
  ])
  expect(mapRows([], 2, true)).toEqual([])
})

test.each([true, false])('up and down, headings above: %s', (headed) => {
  const rows = mapRows(days, 9, headed)
  expect(neighbour(rows, 2, -1)).toBe(0) // February has one day
  expect(neighbour(rows, 2, 1)).toBe(3)
  expect(neighbour(rows, 0, 1)).toBe(1)
  expect(neighbour(rows, 0, -1)).toBe(0)
  expect(neighbour(rows, 3, 1)).toBe(3)
})
