import { expect, test } from 'vitest'

import { maySee, roleOf } from './role'

test.each([
  ['off', null, 'none', 'operator'],
  ['off', 'admin', 'all', 'operator'],
  ['required', null, 'none', 'guest'],
  ['required', null, 'data', 'reader'],
  ['required', null, 'all', 'observer'],
  ['required', 'read', 'none', 'observer'],
  ['required', 'read', 'data', 'observer'],
  ['required', 'operate', 'none', 'operator'],
  ['required', 'admin', 'data', 'operator'],
] as const)('authentication %s, scope %s, public reading %s: %s', (authentication, scope, public_read, role) =>
  expect(roleOf({ authentication, identity: scope && { scope }, public_read })).toBe(role),
)

test.each([
  ['guest', '/home', false],
  ['reader', '/', true],
  ['reader', '/bills/44-1/C-11', true],
  ['reader', '/runs', false],
  ['reader', '/billsx', false],
  ['reader', '/sign-in', false],
  ['observer', '/runs', true],
  ['operator', '/access', true],
] as const)('%s at %s: %s', (role, path, may) => expect(maySee(role, path)).toBe(may))
