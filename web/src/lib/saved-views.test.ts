import { expect, test } from 'vitest'

import { viewsOf, withView } from './saved-views'

test('what cannot be read is left out', () => {
  expect(viewsOf(undefined)).toEqual([])
  expect(viewsOf('nonsense')).toEqual([])
  expect(viewsOf({ name: 'a', query: 'b' })).toEqual([])
  expect(viewsOf([null, 1, { name: 'a' }, { name: 'a', query: 'status=failure' }])).toEqual([
    { name: 'a', query: 'status=failure' },
  ])
})

test('a view replaces one of the same name, and an empty name saves nothing', () => {
  const one = withView([], { name: ' b ', query: 'x=1' })
  expect(one).toEqual([{ name: 'b', query: 'x=1' }])
  const two = withView(one, { name: 'a', query: 'x=2' })
  expect(two.map((v) => v.name)).toEqual(['a', 'b'])
  expect(withView(two, { name: 'b', query: 'x=3' })).toEqual([
    { name: 'a', query: 'x=2' },
    { name: 'b', query: 'x=3' },
  ])
  const many = Array.from({ length: 50 }, (_, i) => ({ name: `a${i}`, query: 'x' }))
  expect(withView(many, { name: 'z', query: 'x=1' }).at(-1)?.name).toBe('z') // none is lost without a word
  expect(withView(two, { name: '  ', query: 'x=3' })).toEqual(two)
})
