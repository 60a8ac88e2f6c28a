import { expect, test } from 'vitest'

import { startedBy } from './started-here'

const id = '0197841c-2a00-7aaa-8000-000000000001'

test.each([
  ['POST', '/jobs/fetch_bills_job/runs', 202, `/runs/${id}`, id],
  ['POST', '/assets/x/materialize', 202, `https://example.org/explorer/runs/${id}`, id],
  ['POST', `/runs/${id}/retry`, 202, `/runs/${id}`, id],
  ['POST', `/runs/${id}/cancel`, 202, `/runs/${id}`, undefined],
  ['POST', '/backfills', 202, `/backfills/${id}`, undefined],
  ['POST', '/jobs/fetch_bills_job/runs', 403, null, undefined],
  ['GET', `/runs/${id}`, 200, null, undefined],
])('%s %s that was answered with %d', (method, url, status, location, run) =>
  expect(startedBy(method, url, status, location)).toBe(run),
)
