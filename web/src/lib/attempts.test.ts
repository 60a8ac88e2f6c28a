import type { Step } from '@parliament-explorer/sdk'
import { expect, test } from 'vitest'

import { inOrder, waitOf } from './attempts'
import { shownTimes } from './zoom'

const step = (asset: string, upstream: string[], started: number | null, ended: number | null): Step => ({
  asset,
  upstream,
  status: ended !== null ? 'success' : started !== null ? 'started' : upstream.length > 0 ? 'waiting' : 'queued',
  attempt: started === null ? 0 : 1,
  started_at: started === null ? null : new Date(started).toISOString(),
  ended_at: ended === null ? null : new Date(ended).toISOString(),
  next_attempt_at: null,
  error: null,
  blocked_by: null,
})

const run = (steps: Step[], ended: number | null = null) => ({
  created_at: new Date(1000).toISOString(),
  ended_at: ended === null ? null : new Date(ended).toISOString(),
  steps,
})

test('a step waits from the end of its last upstream step', () => {
  const [a, b, c] = [step('a', [], 1500, 2000), step('b', [], 1000, 3000), step('c', ['a', 'b'], 3250, null)]
  const of = run([a, b, c])
  expect(waitOf(of, a, 9000)).toEqual({ from: 1000, to: 1500 })
  expect(waitOf(of, b, 9000)).toBeUndefined() // it did not wait
  expect(waitOf(of, c, 9000)).toEqual({ from: 3000, to: 3250 })
})

test('a queued step waits until now, and one that nothing can start any more does not', () => {
  const [a, b] = [step('a', [], null, null), step('b', ['a'], null, null)]
  expect(waitOf(run([a, b]), a, 9000)).toEqual({ from: 1000, to: 9000 })
  expect(waitOf(run([a, b]), b, 9000)).toBeUndefined()
  expect(waitOf(run([a, b], 5000), a, 9000)).toBeUndefined()
  expect(waitOf(run([{ ...a, status: 'canceled' }], 5000), a, 9000)).toBeUndefined()
})

test('steps are in the order in which they can start', () => {
  const names = (steps: Step[]) => inOrder(steps).map((s) => s.asset)
  expect(
    names([step('a', ['z'], 1, 1), step('b', ['a', 'c'], 1, 1), step('c', [], 1, 1), step('z', ['gone'], 1, 1)]),
  ).toEqual(['c', 'z', 'a', 'b'])
})

test('the ends of an enlarged axis', () => {
  expect(shownTimes(1000, 2000, 500, { k: 1, x: 0 })).toEqual([1000, 2000])
  expect(shownTimes(1000, 2000, 500, { k: 2, x: 0 })).toEqual([1000, 1500])
  expect(shownTimes(1000, 2000, 500, { k: 2, x: -500 })).toEqual([1500, 2000])
  expect(shownTimes(1000, 2000, 0, { k: 1, x: 0 })).toEqual([1000, 1000]) // before it is measured
})
