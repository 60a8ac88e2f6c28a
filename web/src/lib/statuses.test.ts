import { expect, test } from 'vitest'

import { formatStatuses, parseStatuses } from './statuses'

test.each([
  [undefined, { chosen: [], without: false }, undefined],
  ['failure', { chosen: ['failure'], without: false }, 'failure'],
  ['canceled, failure', { chosen: ['failure', 'canceled'], without: false }, 'failure,canceled'],
  ['-success', { chosen: ['success'], without: true }, '-success'],
  ['-success,-queued', { chosen: ['queued', 'success'], without: true }, '-queued,-success'],
  ['failure,queued,-queued', { chosen: ['failure'], without: false }, 'failure'],
  ['nonsense', { chosen: [], without: false }, undefined],
])('%s', (text, statuses, written) => {
  expect(parseStatuses(text)).toEqual(statuses)
  expect(formatStatuses(parseStatuses(text))).toBe(written)
})
