import { expect, test } from 'vitest'

import type { Format } from './config'
import { suggest } from './complete'

const fetch = {
  name: 'fetch',
  schema: {
    type: 'object',
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: 500, default: 50, description: 'How many.' },
      mode: { enum: ['all', 'on'] },
      deep: { type: 'boolean' },
      nested: { type: 'object', properties: { inner: { type: 'string' } } },
    },
  },
}
const stats = { name: 'stats', schema: { type: 'object', properties: { drop: { type: 'boolean', default: false } } } }

/** What is suggested at the "|" of a text: the labels, and the text after the first one is taken. */
function at(text: string, format: Format, assets: { name: string; schema: object }[] = [fetch]) {
  const position = text.indexOf('|')
  const whole = text.replace('|', '')
  const found = suggest(whole, position, format, assets)
  if (!found) return undefined
  const first = found.suggestions[0]!
  return {
    labels: found.suggestions.map((s) => s.label),
    taken: whole.slice(0, found.from) + first.insert + whole.slice(position),
  }
}

test.each([
  ['{|}', ['limit', 'mode', 'deep', 'nested'], '{"limit": 50}'],
  ['{"li|', ['limit', 'mode', 'deep', 'nested'], '{"limit": 50'],
  ['{ li|', ['limit', 'mode', 'deep', 'nested'], '{ "limit": 50'],
  ['{"limit": 3, |}', ['mode', 'deep', 'nested'], '{"limit": 3, "mode": }'],
  ['{"limit": |}', ['50', '1', '500'], '{"limit": 50}'],
  ['{"mode": "a|', ['all', 'on'], '{"mode": "all"'],
  ['{"deep": t|}', ['true', 'false'], '{"deep": true}'],
  ['{"nested": {|}}', ['inner'], '{"nested": {"inner": }}'],
  ['{"ops": {"fetch": {"config": {"a \\" }": 1, |', ['limit', 'mode', 'deep', 'nested'], undefined],
  ['{"ops": {|', ['fetch'], undefined],
  ['{"ops": {"fetch": {|', ['config'], undefined],
])('in JSON: %s', (text, labels, taken) => {
  const found = at(text, 'json')
  expect(found?.labels).toEqual(labels)
  if (taken) expect(found?.taken).toBe(taken)
})

test.each([
  ['|', ['limit', 'mode', 'deep', 'nested'], 'limit: 50'],
  ['li|', ['limit', 'mode', 'deep', 'nested'], 'limit: 50'],
  ['limit: 3\n|', ['mode', 'deep', 'nested'], 'limit: 3\nmode: '],
  ['|\nlimit: 3', ['mode', 'deep', 'nested'], 'mode: \nlimit: 3'],
  ['limit: |', ['50', '1', '500'], 'limit: 50'],
  ['mode: a|', ['all', 'on'], 'mode: all'],
  ['ops:\n  |', ['fetch'], 'ops:\n  fetch:'],
  ['ops:\n  fetch:\n    config:\n      limit: 3\n      de|', ['mode', 'deep', 'nested'], undefined],
  ['nested:\n  |', ['inner'], 'nested:\n  inner: '],
])('in YAML: %s', (text, labels, taken) => {
  const found = at(text, 'yaml')
  expect(found?.labels).toEqual(labels)
  if (taken) expect(found?.taken).toBe(taken)
})

test('a text that YAML reads as something else is quoted', () => {
  const found = suggest('mode: ', 6, 'yaml', [fetch])
  expect(found?.suggestions.map((s) => s.insert)).toEqual(['all', '"on"'])
})

test('several assets have their fields below ops', () => {
  expect(at('{|}', 'json', [fetch, stats])?.labels).toEqual(['ops'])
  expect(at('{"ops": {|', 'json', [fetch, stats])?.labels).toEqual(['fetch', 'stats'])
  expect(
    at('ops:\n  fetch:\n    config:\n      limit: 1\n  stats:\n    config:\n      |', 'yaml', [fetch, stats])?.labels,
  ).toEqual(['drop'])
})

test('nothing is suggested where nothing fits', () => {
  expect(at('|', 'json')).toBeUndefined()
  expect(at('[|', 'json')).toBeUndefined()
  expect(at('{"nope": |}', 'json')).toBeUndefined()
  expect(at('# li|', 'yaml')).toBeUndefined()
  expect(at('{"a": {"b": [1, |', 'json')).toBeUndefined()
})

test('a field says its type, its bounds and what it is', () => {
  expect(suggest('{', 1, 'json', [fetch])?.suggestions[0]).toMatchObject({ detail: 'integer 1–500', info: 'How many.' })
})
