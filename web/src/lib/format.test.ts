import { expect, test, vi } from 'vitest'

import { en } from '../i18n/en'
import { fr } from '../i18n/fr'
import { billParams, inLanguage } from './bills'
import { clock, duration, relative } from './format'
import { leadingSeries, partitionsToTell, seriesOf } from './metadata'

vi.stubGlobal('navigator', { languages: ['en-CA'] })

test.each([
  [0, '0 ms'],
  [940, '940 ms'],
  [3_240, '3.2 s'],
  [5_000, '5 s'],
  [59_970, '1 min'],
  [300_000, '5 min'],
  [65_000, '1 min 05 s'],
  [3_599_600, '1 h'],
  [7_800_000, '2 h 10 min'],
  [26 * 3_600_000, '26 h'],
  [4 * 86_400_000, '4 days'],
])('%d ms are %s', (ms, text) => expect(duration(ms, 'en')).toBe(text))

test('ages', () => {
  const now = Date.parse('2026-06-18T12:00:00Z')
  expect(relative(now - 5 * 60_000, now, 'en')).toMatch(/^5 min.* ago$/)
  expect(relative(now + 2 * 3_600_000, now, 'en')).toMatch(/^in 2 h/)
  expect(relative(now - 90_000, now, 'fr')).toMatch(/^il y a 1/)
  expect(relative(now - 59 * 86_400_000, now, 'en')).toBe('59 days ago')
})

test('what is long ago is a date', () => {
  const now = Date.parse('2026-06-18T12:00:00Z')
  expect(relative(Date.parse('1999-04-01T12:00:00Z'), now, 'en')).toMatch(/^Apr.* 1, 1999$/)
  expect(relative(Date.parse('1999-04-01T12:00:00Z'), now, 'fr')).toBe('1 avr. 1999')
  expect(relative(Date.parse('2027-04-02T12:00:00Z'), now, 'en')).toMatch(/2027$/)
})

test('durations in French', () => {
  expect(duration(3_240, 'fr')).toBe('3,2 s')
  expect(duration(4 * 86_400_000, 'fr')).toMatch(/^4.jours$/)
})

test('the clock has milliseconds', () => expect(clock(new Date(2026, 5, 18, 9, 5, 3, 7))).toBe('09:05:03.007'))

test('a bill is found by its id, and speaks the language it can', () => {
  expect(billParams('44-1/C-11')).toEqual({ session: '44-1', number: 'C-11' })
  expect(inLanguage({ en: 'Act', fr: null }, 'fr')).toBe('Act')
})

test('numbers of materializations become series, the oldest first', () => {
  const materialization = (created_at: string, metadata: Record<string, unknown>) => ({
    id: created_at,
    asset: 'a',
    partition: null,
    run_id: 'r',
    created_at,
    metadata,
  })
  const list = [
    materialization('2026-06-18T13:00:00Z', { bills_fetched: 50, duration_seconds: 2, status: 'success' }),
    materialization('2026-06-18T12:00:00Z', { bills_fetched: 40, duration_seconds: 3 }),
  ]
  expect(seriesOf(list).map((s) => [s.name, s.points.map((p) => p.value)])).toEqual([
    ['bills_fetched', [40, 50]],
    ['duration_seconds', [3, 2]],
  ])
  expect(leadingSeries(list)?.name).toBe('bills_fetched')
  expect(leadingSeries([])).toBeUndefined()
})

test('a plot tells the last partitions with several values apart', () => {
  const point = (partition?: string) => ({ at: 0, value: 1, partition })
  const points = ['45-1', '42-1', '43-1', '44-1', '43-2', '41-1'].map(point)
  expect(partitionsToTell(points)).toEqual([])
  expect(partitionsToTell([...points, ...points, point('40-1')])).toEqual(['43-1', '43-2', '44-1', '45-1'])
  expect(partitionsToTell([point(), point()])).toEqual([])
})

test('no text is left untranslated, and every one takes the same values', () => {
  const holes = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map((m) => m[1]).sort()
  for (const [section, texts] of Object.entries(en)) {
    for (const [key, text] of Object.entries(texts)) {
      const other = (fr as unknown as Record<string, Record<string, string>>)[section]?.[key]
      expect(other, `${section}.${key}`).toBeTruthy()
      expect(holes(other!), `${section}.${key}`).toEqual(holes(text))
    }
  }
})
