import type { Event } from '@parliament-explorer/sdk'
import { expect, test, vi } from 'vitest'

import { attemptsOf } from './attempts'
import { formatLog, IncrementalFilter, matchesFilter } from './log'

vi.mock('../app/live', () => ({ whileVisible: () => () => undefined }))

function event(id: number, more: Partial<Event>): Event {
  return {
    id,
    run_id: 'r',
    at: new Date(id * 1000).toISOString(),
    type: 'log',
    level: 'info',
    asset: null,
    attempt: null,
    message: '',
    data: null,
    ...more,
  }
}

test('a filter takes level and above, the step, and text in message, type and data', () => {
  const e = event(1, { level: 'warn', asset: 'fetch', message: 'Slow answer', data: { bill: '44-1/C-11' } })
  expect(matchesFilter(e, {})).toBe(true)
  expect(matchesFilter(e, { level: 'warn' })).toBe(true)
  expect(matchesFilter(e, { level: 'error' })).toBe(false)
  expect(matchesFilter(e, { step: 'other' })).toBe(false)
  expect(matchesFilter(e, { text: 'slow' })).toBe(true)
  expect(matchesFilter(e, { text: 'c-11' })).toBe(true)
  expect(matchesFilter(e, { text: 'fast' })).toBe(false)
})

test('a growing log is filtered as it grows, without repetition', () => {
  const events = [event(1, { message: 'a' }), event(2, { message: 'b' })]
  const filtered = new IncrementalFilter({ text: 'a' })
  expect(filtered.of(events).map((e) => e.id)).toEqual([1])
  events.push(event(3, { message: 'another' }))
  expect(filtered.of(events).map((e) => e.id)).toEqual([1, 3])
  expect(filtered.of(events).map((e) => e.id)).toEqual([1, 3])
})

test('attempts are told by events: a retry, a lost worker, one that runs', () => {
  const step = (id: number, type: string, asset: string, attempt: number) => event(id, { type, asset, attempt })
  const attempts = attemptsOf([
    step(1, 'step_started', 'a', 1),
    step(2, 'step_started', 'b', 1),
    step(3, 'step_up_for_retry', 'a', 1),
    step(4, 'step_requeued', 'b', 1),
    step(5, 'step_started', 'a', 2),
    step(6, 'step_success', 'a', 2),
    step(7, 'step_started', 'b', 2),
  ])
  expect(attempts.map((a) => [a.asset, a.number, a.outcome, a.from / 1000, a.to && a.to / 1000])).toEqual([
    ['a', 1, 'up_for_retry', 1, 3],
    ['b', 1, 'up_for_retry', 2, 4],
    ['a', 2, 'success', 5, 6],
    ['b', 2, 'started', 7, undefined],
  ])
})

test('as text, a line for each event', () => {
  expect(formatLog([event(1, { message: 'one', asset: 'a' }), event(2, { message: 'two', data: { n: 2 } })])).toBe(
    '1970-01-01T00:00:01.000Z  info   a  one\n1970-01-01T00:00:02.000Z  info   -  two  {"n":2}\n',
  )
})
