import { readFileSync } from 'node:fs'

import { beforeAll, describe, expect, test } from 'vitest'

import {
  formatConfig,
  joinConfigs,
  loadYaml,
  parseConfig,
  parseTags,
  runFlags,
  shellQuote,
  splitConfig,
  validateConfig,
} from './config'

beforeAll(loadYaml)

const schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  additionalProperties: false,
  required: ['parliament'],
  properties: {
    parliament: { type: 'integer', minimum: 1 },
    limit: { type: 'integer', minimum: 1, maximum: 500, default: 50 },
  },
}

describe('validation', () => {
  test('a valid config has no errors', () => expect(validateConfig(schema, { parliament: 44, limit: 50 })).toEqual([]))
  test('each is named once, where it is', () => {
    const found = validateConfig(schema, { parliament: 44, limit: 501 })
    expect(found.map((f) => f.pointer)).toEqual(['/limit'])
    expect(found[0]!.detail).toContain('500')
  })
  test('what is missing', () =>
    expect(validateConfig(schema, { limit: 1 })).toEqual([{ pointer: '/parliament', detail: 'is required' }]))
  test('what should not be there', () =>
    expect(validateConfig(schema, { parliament: 1, lmit: 1 }).map((f) => f.pointer)).toContain('/lmit'))
})

describe('shapes', () => {
  test('of one asset', () => {
    expect(joinConfigs(['a'], { a: { limit: 1 } })).toEqual({ limit: 1 })
    expect(splitConfig(['a'], { limit: 1 })).toEqual([{ asset: 'a', config: { limit: 1 }, pointer: '' }])
  })
  test('of several assets, and back', () => {
    const config = joinConfigs(['a', 'b'], { a: { limit: 1 } })
    expect(config).toEqual({ ops: { a: { config: { limit: 1 } }, b: { config: {} } } })
    expect(splitConfig(['a', 'b'], config)).toEqual([
      { asset: 'a', config: { limit: 1 }, pointer: '/ops/a/config' },
      { asset: 'b', config: {}, pointer: '/ops/b/config' },
    ])
  })
  test.each(['json', 'yaml'] as const)('a config in %s is parsed to the same value', (format) => {
    for (const config of [{}, { limit: 5, name: 'Élise: “x”', list: [1, 2] }])
      expect(parseConfig(formatConfig(config, format), format)).toEqual(config)
  })
  test('an empty text is an empty config', () => expect(parseConfig('  \n', 'yaml')).toEqual({}))
  test('what cannot be read says so', () => expect(() => parseConfig('{"limit": ', 'json')).toThrow())
})

// The UI parses configs as the server and the commands do: orchestrator/runconfig tests with the same file.
const vectors = JSON.parse(
  readFileSync(new URL('../../../orchestrator/runconfig/testdata/yaml.json', import.meta.url), 'utf8'),
) as { name: string; yaml: string; json?: unknown; pointer?: string; server_only?: boolean }[]

describe('YAML', () => {
  test.each(vectors.filter((v) => v.pointer === undefined))('is read as everywhere: $name', ({ yaml, json }) =>
    expect(JSON.parse(JSON.stringify(parseConfig(yaml, 'yaml')))).toEqual(json),
  )
  test.each(vectors.filter((v) => v.pointer !== undefined && v.server_only !== true))(
    'is refused as everywhere: $name',
    ({ yaml }) => expect(() => parseConfig(yaml, 'yaml')).toThrow(),
  )
})

test('a config is one argument of a shell command', () =>
  expect(shellQuote({ name: "l'eau" })).toBe(`'{"name":"l'\\''eau"}'`))

describe('tags', () => {
  test('are read', () =>
    expect(parseTags(' reason:backlog , when: 12:30 ,')).toEqual({ reason: 'backlog', when: '12:30' }))
  test('the error names an invalid tag', () => expect(() => parseTags('reason:backlog, oops')).toThrow('oops'))
})

test('a field that was emptied is not set', () => {
  const schema = {
    type: 'object',
    properties: { limit: { type: 'integer', minimum: 1 }, range: { type: 'object' } },
    required: ['since'],
  }
  expect(validateConfig(schema, { limit: undefined, range: { from: undefined }, since: '2026' })).toEqual([])
  expect(validateConfig(schema, { since: undefined })).toEqual([{ pointer: '/since', detail: 'is required' }])
  expect(validateConfig({ type: 'object' }, undefined)).toEqual([])
})

test('YAML that refers to itself is an error', () => {
  expect(() => parseConfig('&a [*a]', 'yaml')).toThrow()
  expect(parseConfig('limit: .nan', 'yaml')).toEqual({ limit: null })
})

test('the options of a command: tags as key=value, and quotes where the shell needs them', () => {
  expect(runFlags({ config: {} })).toBe('')
  expect(
    runFlags({ config: { limit: 4 }, partition: '45-1', priority: 1, tags: { why: 'changed', it: "is; it's" } }),
  ).toBe(` --partition 45-1 --tag why=changed --tag 'it=is\\; it'\\''s' --priority 1 --config '{"limit":4}'`)
})
