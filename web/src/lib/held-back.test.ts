import { expect, test } from 'vitest'

import { splitAt, withTail } from './held-back'

const items = ['04', '03', '02', '01'].map((id) => ({ id }))

test('what is newer than the item that was first is held back', () => {
  expect(splitAt(items, '02')).toEqual([[{ id: '02' }, { id: '01' }], 2])
  expect(splitAt(items, '04')).toEqual([items, 0])
})

test('nothing is held back for a user who is not busy', () => {
  expect(splitAt(items, undefined)).toEqual([items, 0])
})

test('the item that was first may be gone', () => {
  expect(splitAt(items, '025')).toEqual([[{ id: '02' }, { id: '01' }], 2])
})

test('rows that new items push over the end stay', () => {
  const newer = ['06', '05', '04', '03'].map((id) => ({ id }))
  expect(withTail(newer, items).map((item) => item.id)).toEqual(['06', '05', '04', '03', '02', '01'])
  expect(withTail(items, items)).toEqual(items)
  expect(withTail([{ id: '04' }, { id: '03' }, { id: '01' }], items).map((item) => item.id)).toEqual(['04', '03', '01'])
  expect(withTail([], items)).toEqual([]) // nothing matches any more
})
