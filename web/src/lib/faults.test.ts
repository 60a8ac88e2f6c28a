import { expect, test } from 'vitest'

import { onlyLists } from './faults'

test.each([
  ['1 field is invalid: /limit: is 0', 1, true],
  ['2 champs ne sont pas valides : /a: …', 2, true],
  ['25 fields are invalid: /a: …, and 5 more', 20, false],
  ['1,000 fields are invalid: /a: …', 20, false],
  ['the body is not JSON', 1, false],
  ['not found', 0, false],
])('%s, with %i listed', (message, listed, only) => expect(onlyLists(message, listed)).toBe(only))
