import { readFileSync } from 'node:fs'

import { expect, test } from 'vitest'
import { parse } from 'yaml'

import { en } from './en'

interface Contract {
  paths: Record<string, Record<string, { operationId?: string; 'x-required-scope'?: string }>>
  components: { schemas: Record<string, { enum?: string[]; properties?: Record<string, { description?: string }> }> }
}

const contract = parse(readFileSync(new URL('../../../openapi.yaml', import.meta.url), 'utf8')) as Contract
const { schemas } = contract.components

test('every operation that the audit log records has words', () => {
  const changing = Object.values(contract.paths)
    .flatMap((path) => Object.entries(path))
    .filter(([method]) => ['post', 'put', 'patch', 'delete'].includes(method))
    .map(([, operation]) => operation.operationId!)
  expect(changing.length).toBeGreaterThan(20)
  expect(changing.filter((id) => !(id in en.operations))).toEqual([])
})

test.each(['RunStatus', 'StepStatus', 'FetchStatus'])('every value of %s has words', (name) => {
  const values = schemas[name]!.enum!
  expect(values.length).toBeGreaterThan(3)
  expect(values.filter((v) => !(v in en.status))).toEqual([])
})

test('every class of errors has words', () => {
  const said = schemas.RunError!.properties!.class!.description!
  const classes = said
    .replace(/^[^:]+: /, '')
    .replace('.', '')
    .split(/, | or /)
  expect(classes).toHaveLength(7)
  expect(classes.filter((c) => !(c in en.errorClass))).toEqual([])
})
