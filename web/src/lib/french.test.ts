import { expect, test, vi } from 'vitest'

import { billType, partyIn, publicationName } from './bills'
import { inPageLanguage } from './request-language'
import { schemaIn } from './schema-language'

test('a form has the descriptions of its fields in French, and in English where there is no other', () => {
  const schema = {
    type: 'object',
    properties: {
      limit: { type: 'integer', description: 'How many.', 'x-description-fr': 'Combien.' },
      other: { type: 'string', description: 'Another.' },
    },
  }
  expect(schemaIn(schema, 'fr').properties.limit.description).toBe('Combien.')
  expect(schemaIn(schema, 'fr').properties.other.description).toBe('Another.')
  expect(schemaIn(schema, 'en')).toBe(schema)
  expect(schema.properties.limit.description).toBe('How many.')
})

test('a request has the language of the page', async () => {
  vi.stubGlobal('document', { documentElement: { lang: 'fr' } })
  const send = vi.fn<(request: Request) => Promise<Response>>(() => Promise.resolve(new Response()))
  await inPageLanguage(send as unknown as typeof fetch)('http://localhost/bills', { headers: { Accept: 'text/plain' } })
  const request = send.mock.calls[0]![0]
  expect([request.headers.get('Accept-Language'), request.headers.get('Accept')]).toEqual(['fr', 'text/plain'])
})

test('parties are in French', () => {
  expect(partyIn({ en: 'NDP', fr: null }, 'fr')).toBe('NPD')
  expect(partyIn({ en: 'New', fr: null }, 'fr')).toBe('New')
  expect(partyIn({ en: null, fr: null }, 'fr')).toBeNull()
  expect(partyIn({ en: 'NDP', fr: 'NPD' }, 'en')).toBe('NDP')
})

test('a version of the text that the source names in English', () => {
  expect(publicationName({ en: 'Royal Assent', fr: 'Royal Assent' }, 'fr')).toBe('Sanction royale')
  expect(publicationName({ en: 'First Reading', fr: 'Première lecture' }, 'fr')).toBe('Première lecture')
})

test('types of bills are in French', () => {
  expect(billType('Senate Public Bill', 'fr')).toBe('Projet de loi d’intérêt public du Sénat')
  expect(billType('Senate Public Bill', 'en')).toBe('Senate Public Bill')
  expect(billType('New Type', 'fr')).toBe('New Type')
})
