import { readFileSync } from 'node:fs'

import { describe, expect, test } from 'vitest'

import { faults, joined, parted, quoted, read, readTags, written } from './config'

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

describe('faults', () => {
  test('a good config has none', () => expect(faults(schema, { parliament: 44, limit: 50 })).toEqual([]))
  test('each is named once, where it is', () => {
    const found = faults(schema, { parliament: 44, limit: 501 })
    expect(found.map((f) => f.pointer)).toEqual(['/limit'])
    expect(found[0]!.detail).toContain('500')
  })
  test('what is missing', () =>
    expect(faults(schema, { limit: 1 })).toEqual([{ pointer: '/parliament', detail: 'is required' }]))
  test('what should not be there', () =>
    expect(faults(schema, { parliament: 1, lmit: 1 }).map((f) => f.pointer)).toContain('/lmit'))
})

describe('shapes', () => {
  test('of one asset', () => {
    expect(joined(['a'], { a: { limit: 1 } })).toEqual({ limit: 1 })
    expect(parted(['a'], { limit: 1 })).toEqual([{ asset: 'a', config: { limit: 1 }, at: '' }])
  })
  test('of several assets, and back', () => {
    const config = joined(['a', 'b'], { a: { limit: 1 } })
    expect(config).toEqual({ ops: { a: { config: { limit: 1 } }, b: { config: {} } } })
    expect(parted(['a', 'b'], config)).toEqual([
      { asset: 'a', config: { limit: 1 }, at: '/ops/a/config' },
      { asset: 'b', config: {}, at: '/ops/b/config' },
    ])
  })
  test.each(['json', 'yaml'] as const)('what is written as %s is read as the same', (format) => {
    for (const config of [{}, { limit: 5, name: 'Élise: “x”', list: [1, 2] }])
      expect(read(written(config, format), format)).toEqual(config)
  })
  test('an empty text is an empty config', () => expect(read('  \n', 'yaml')).toEqual({}))
  test('what cannot be read says so', () => expect(() => read('{"limit": ', 'json')).toThrow())
})

// What the server and the commands read is read the same here: orchestrator/runconfig tests with the same file.
const vectors = JSON.parse(
  readFileSync(new URL('../../../orchestrator/runconfig/testdata/yaml.json', import.meta.url), 'utf8'),
) as { name: string; yaml: string; json?: unknown; pointer?: string; server_only?: boolean }[]

describe('YAML', () => {
  test.each(vectors.filter((v) => v.pointer === undefined))('is read as everywhere: $name', ({ yaml, json }) =>
    expect(JSON.parse(JSON.stringify(read(yaml, 'yaml')))).toEqual(json),
  )
  test.each(vectors.filter((v) => v.pointer !== undefined && v.server_only !== true))(
    'is refused as everywhere: $name',
    ({ yaml }) => expect(() => read(yaml, 'yaml')).toThrow(),
  )
})

test('a config becomes one word of a command', () => expect(quoted({ name: "l'eau" })).toBe(`'{"name":"l'\\''eau"}'`))

describe('tags', () => {
  test('are read', () =>
    expect(readTags(' reason:backlog , when: 12:30 ,')).toEqual({ reason: 'backlog', when: '12:30' }))
  test('what is none is named', () => expect(() => readTags('reason:backlog, oops')).toThrow('oops'))
})
