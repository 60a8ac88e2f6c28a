import { expect, test } from 'vitest'

import { formatQuery, parseQuery, upgradeQuery } from './query'

const texts = [
  '"online streaming"',
  '1e3',
  '1000',
  '007',
  'true',
  'null',
  '"404"',
  '[1]',
  '{"a":1}',
  'a+b & c=d',
  '%22',
  '',
]

for (const text of texts) {
  test(`the text ${text} is the same in the address and on the page`, () => {
    const query = formatQuery({ q: text })
    expect(new URLSearchParams(query).get('q')).toBe(text)
    expect(parseQuery(query)).toEqual({ q: text })
    expect(upgradeQuery(query)).toBe(query)
  })
}

test('an address has only what is set', () => {
  expect(formatQuery({ q: undefined, event: 12, law: 'true' })).toBe('?event=12&law=true')
  expect(formatQuery({})).toBe('')
})

test('a repeated parameter is a list', () => {
  const query = formatQuery({ status: ['queued', 'started'] })
  expect(query).toBe('?status=queued&status=started')
  expect(parseQuery(query)).toEqual({ status: ['queued', 'started'] })
})

test('old links are still read', () => {
  expect(upgradeQuery('?q=%22%5C%22online+streaming%5C%22%22')).toBe('?q=%22online+streaming%22')
  expect(upgradeQuery('?year=%222024%22&page=%222%22&q=act')).toBe('?year=2024&page=2&q=act')
  expect(upgradeQuery('?q=act&session=44-1')).toBe('?q=act&session=44-1')
})
