import { expect, test } from 'vitest'

import { subjectsOf } from './alert-subjects'

const run = '0197841c-2a00-7aaa-8000-000000000001'

test('a failed fetch names its run, asset and source', () =>
  expect(
    subjectsOf({
      cause: 'fetch:fetch_latest_bills:legisinfo',
      data: { asset: 'fetch_latest_bills', source: 'legisinfo', run_id: run, fetch_log_id: 7 },
    }),
  ).toEqual({
    runs: [run],
    fetchLogsOf: run,
    job: undefined,
    assets: ['fetch_latest_bills'],
    check: undefined,
    source: 'legisinfo',
  }))

test('a failed run names its job, or its assets', () => {
  const data = { run_id: run, assets: ['a', 'b'] }
  expect(subjectsOf({ cause: 'run:nightly', data })).toMatchObject({ job: 'nightly', assets: [], runs: [run] })
  expect(subjectsOf({ cause: 'run:a, b', data })).toMatchObject({ job: undefined, assets: ['a', 'b'] })
})

test('a check and a late asset', () => {
  expect(subjectsOf({ cause: 'check:a/b', data: { asset: 'a', check: 'b', run_id: run } })).toMatchObject({
    check: 'b',
  })
  expect(subjectsOf({ cause: 'freshness:a', data: { asset: 'a' } })).toMatchObject({ assets: ['a'], runs: [] })
})

test('free data of a sensor', () => {
  expect(subjectsOf({ cause: 'mine', data: {} })).toMatchObject({ runs: [], assets: [] })
  expect(subjectsOf({ cause: 'mine', data: { run_ids: [run, 'x'], asset: 7, check: 'c' } })).toMatchObject({
    runs: [run],
    assets: [],
    check: undefined,
  })
})
