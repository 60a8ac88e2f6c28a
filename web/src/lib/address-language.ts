/*
 * The language in the address, as in ?lang=fr. It is there if a link had it or the user chose a language here, and then
 * stays there on all pages, so that links can be shared.
 */

type Language = 'en' | 'fr'

const known = (value: unknown): Language | undefined => (value === 'fr' || value === 'en' ? value : undefined)

let inAddress = known(typeof location === 'undefined' ? undefined : new URLSearchParams(location.search).get('lang'))

export function addressLanguage(): Language | undefined {
  return inAddress
}

export function setAddressLanguage(language: Language): void {
  inAddress = language
}
