import { day, type Both, type Language, sentence } from './words'

/** The name of a field of a bill, for readers. */
const fields: Record<string, Both> = {
  title: { en: 'title', fr: 'titre' },
  short_title: { en: 'short title', fr: 'titre abrégé' },
  home_chamber: { en: 'chamber of origin', fr: 'chambre d’origine' },
  bill_type: { en: 'type', fr: 'type' },
  government_bill: { en: 'government bill', fr: 'projet de loi du gouvernement' },
  private_member_bill: { en: 'private member’s bill', fr: 'projet de loi émanant d’un député' },
  introduced_on: { en: 'day of introduction', fr: 'date du dépôt' },
  status: { en: 'status', fr: 'état' },
  latest_activity_at: { en: 'latest activity', fr: 'dernière activité' },
  law: { en: 'law', fr: 'loi' },
  royal_assent_on: { en: 'day of royal assent', fr: 'date de la sanction royale' },
  statute: { en: 'chapter of the statutes', fr: 'chapitre des lois' },
  sponsor: { en: 'sponsor', fr: 'parrain' },
  committees: { en: 'committees', fr: 'comités' },
  related_bills: { en: 'related bills', fr: 'projets de loi connexes' },
  summary: { en: 'summary', fr: 'résumé' },
  legisinfo_id: { en: 'number at LEGISinfo', fr: 'numéro dans LEGISinfo' },
  legisinfo_url: { en: 'page at LEGISinfo', fr: 'page dans LEGISinfo' },
  openparliament_url: { en: 'page at openparliament.ca', fr: 'page à openparliament.ca' },
  text_url: { en: 'text of the bill', fr: 'texte du projet de loi' },
  missing_since: { en: 'missing from the sources since', fr: 'absent des sources depuis' },
}

/** The name of a field such as "status" or "status.en", for readers. */
export function fieldName(field: string, language: Language): string {
  const [top = field, ...rest] = field.split('.')
  const name = fields[top]?.[language] ?? top.replaceAll('_', ' ')
  const tongue = rest.at(-1)
  if (tongue === 'en') return `${name} (${language === 'fr' ? 'anglais' : 'English'})`
  if (tongue === 'fr') return `${name} (${language === 'fr' ? 'français' : 'French'})`
  return name
}

interface Change {
  field: string
  from?: unknown
  to?: unknown
}

const textOf = (value: unknown, language: Language): string | null => {
  if (typeof value === 'string') return day(value, language) ?? value
  if (value && typeof value === 'object') {
    const both = value as { en?: unknown; fr?: unknown; name?: unknown }
    const words = language === 'fr' ? (both.fr ?? both.en) : (both.en ?? both.fr)
    return typeof words === 'string' ? words : typeof both.name === 'string' ? both.name : null
  }
  return null
}

const list = (items: string[], language: Language) =>
  new Intl.ListFormat(language === 'fr' ? 'fr-CA' : 'en-CA', { type: 'conjunction' }).format(items)

/** What changed in a version of a bill, in sentences: what matters to readers first, the rest by name. */
export function changeSentences(changes: readonly Change[], version: number, language: Language): string[] {
  const fr = language === 'fr'
  if (version === 1 || changes.length === 0)
    return [fr ? 'Ce projet de loi a été ajouté à cette copie.' : 'This bill was added to this copy.']
  const told: string[] = []
  const rest = new Set<string>()
  const became = changes.some((c) => c.field === 'law' && c.to === true)
  if (became) told.push(fr ? 'Il est devenu loi.' : 'It became law.')
  for (const c of changes) {
    const field = c.field.split('.')[0]!
    const to = textOf(c.to, language)
    if (field === 'status' && !became && to && (c.field === 'status' || c.field === `status.${language}`))
      told.push(fr ? `Son nouvel état : « ${to} ».` : `Its status is now “${to}”.`)
    else if (field === 'sponsor' && to)
      told.push(sentence(fr ? `son parrain est maintenant ${to}` : `its sponsor is now ${to}`))
    else if (field === 'text_url' && to)
      told.push(fr ? 'Une nouvelle version du texte a été publiée.' : 'A new version of its text was published.')
    else if (field === 'missing_since')
      told.push(
        c.to === null
          ? fr
            ? 'Les sources le répertorient de nouveau.'
            : 'The sources list it again.'
          : fr
            ? 'Les sources ne le répertorient plus.'
            : 'The sources no longer list it.',
      )
    else if (!['status', 'law', 'latest_activity_at'].includes(field)) rest.add(fieldName(field, language))
  }
  if (rest.size > 0)
    told.push(
      sentence(fr ? `Aussi modifié : ${list([...rest], language)}` : `Also changed: ${list([...rest], language)}`),
    )
  if (told.length === 0) told.push(fr ? 'Une nouvelle activité a été consignée.' : 'New activity was recorded.')
  return told
}
