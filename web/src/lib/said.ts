import { useTranslation } from 'react-i18next'

import { inLanguage } from './bills'

type Both = { en: string | null; fr: string | null }

/**
 * Returns the function that picks the language of the server's texts: what the page's language has, otherwise the
 * English text, which is in every answer.
 */
export function useSaid(): <T extends string | null | undefined>(text: T, both: Both | null | undefined) => T | string {
  const { i18n } = useTranslation()
  return (text, both) => (both ? (inLanguage(both, i18n.language) ?? text) : text)
}
