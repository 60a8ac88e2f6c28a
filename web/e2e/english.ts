import { en } from '../src/i18n/en'
import { fr } from '../src/i18n/fr'
import type { Explorer } from './explorer'

/** All texts of a table that have no parameters. */
function textsOf(table: Record<string, Record<string, string>>): Set<string> {
  return new Set(
    Object.values(table)
      .flatMap((section) => Object.values(section))
      .filter((text) => !text.includes('{{')),
  )
}

interface Described {
  description?: string
  description_i18n?: { en: string; fr: string | null }
}

/** The English texts of the UI and of what the server declares, without those that are French too. */
export async function textsOnlyInEnglish(explorer: Explorer): Promise<Set<string>> {
  const french = textsOf(fr)
  const english = new Set([...textsOf(en)].filter((text) => !french.has(text) && /[a-z]{3}/.test(text)))
  if (english.size < 500) throw new Error(`only ${english.size} texts`)
  for (const list of ['assets', 'jobs', 'schedules', 'sensors']) {
    const { items } = await explorer.api<{ items: Described[] }>(`/${list}`)
    for (const { description, description_i18n } of items) {
      if (description && description_i18n?.fr && description_i18n.fr !== description) english.add(description)
    }
  }
  // Names that somebody gave are no texts of the UI, even if they are words of it.
  for (const { name } of (await explorer.api<{ items: { name: string }[] }>('/keys')).items) english.delete(name)
  return english
}
