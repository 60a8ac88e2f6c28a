import i18next, { type i18n } from 'i18next'
import { initReactI18next } from 'react-i18next'

import { setAddressLanguage } from '../lib/address-language'
import type { en } from './en'

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en }
  }
}

type Language = 'en' | 'fr'

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'translation')) return
  const texts = language === 'fr' ? (await import('./fr')).fr : (await import('./en')).en
  i18next.addResourceBundle(language, 'translation', texts)
}

/** Initializes i18next with the language of the page. Every text is in both languages, so none falls back. */
export async function startI18n(): Promise<i18n> {
  const language: Language = document.documentElement.lang === 'fr' ? 'fr' : 'en'
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    showSupportNotice: false,
    resources: {},
    interpolation: { escapeValue: false },
  })
  await setLanguage(language, false)
  return i18next
}

/** Changes the language of the UI and stores the choice. */
export async function setLanguage(language: Language, keep = true): Promise<void> {
  await load(language)
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
  if (!keep) return
  setAddressLanguage(language)
  try {
    sessionStorage.setItem('language', language)
    localStorage.setItem('language', language)
  } catch {
    // Without storage, the choice applies to this page only.
  }
}
