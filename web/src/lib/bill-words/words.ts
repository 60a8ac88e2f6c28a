import type { Bill, BillDetail, Bilingual, Committee } from '@parliament-explorer/sdk'

/** The language of the page. */
export type Language = 'en' | 'fr'

export type Chamber = 'house' | 'senate'

/** A text in both languages. Both exist. */
export interface Both {
  en: string
  fr: string
}

/** The parts of a bill that lists have. The sentences need no more, and say more of a whole record. */
export type AnyBill = Bill & Partial<Omit<BillDetail, keyof Bill>>

export function languageOf(language: string): Language {
  return language === 'fr' ? 'fr' : 'en'
}

/** A text in the page's language, or in the other one if there is no other text. */
export function said(text: Bilingual | null | undefined, language: Language): string | null {
  if (!text) return null
  return language === 'fr' ? (text.fr ?? text.en) : (text.en ?? text.fr)
}

const months = {
  en: 'January February March April May June July August September October November December'.split(' '),
  fr: 'janvier février mars avril mai juin juillet août septembre octobre novembre décembre'.split(' '),
}

/** A day in words: "12 May 2022", "1er mai 2022". Null if the text does not begin with a day. */
export function day(date: string | null | undefined, language: Language): string | null {
  const [, year, month, dayOfMonth] = /^(\d{4})-(\d\d)-(\d\d)/.exec(date ?? '') ?? []
  const name = months[language][Number(month) - 1]
  if (!year || !name || !dayOfMonth) return null
  const n = Number(dayOfMonth)
  return `${language === 'fr' && n === 1 ? '1er' : n} ${name} ${year}`
}

/** A day in a sentence: "on 12 May 2022", "le 12 mai 2022". Empty if there is no day. */
export function onDay(date: string | null | undefined, language: Language): string {
  const words = day(date, language)
  return words ? (language === 'fr' ? `le ${words}` : `on ${words}`) : ''
}

/** The forms of a chamber's name that sentences need. In English, they are all the same. */
export const chambers = {
  house: {
    en: { name: 'the House of Commons', at: 'in the House of Commons', to: 'to the House of Commons' },
    fr: { name: 'la Chambre des communes', at: 'à la Chambre des communes', to: 'à la Chambre des communes' },
  },
  senate: {
    en: { name: 'the Senate', at: 'in the Senate', to: 'to the Senate' },
    fr: { name: 'le Sénat', at: 'au Sénat', to: 'au Sénat' },
  },
} as const

export function isChamber(chamber: string | null | undefined): chamber is Chamber {
  return chamber === 'house' || chamber === 'senate'
}

/** The forms of a committee's name that sentences need. */
export function committeeForms(
  committees: readonly Committee[],
  acronym: string | null,
  chamber: string | null,
  language: Language,
): { name: string; to: string; of: string; known: boolean } {
  const same = committees.filter((c) => c.acronym === acronym)
  const found = same.find((c) => c.chamber === chamber) ?? same[0]
  const name = said(found?.name, language)
  if (language === 'fr') {
    // The names of all committees are masculine: "Comité permanent du patrimoine canadien", "comité plénier".
    const words = name ?? (acronym ? `comité ${acronym}` : null)
    if (!words) return { name: 'un comité', to: 'à un comité', of: 'd’un comité', known: false }
    return { name: `le ${words}`, to: `au ${words}`, of: `du ${words}`, known: true }
  }
  const words = name
    ? /^the /i.test(name)
      ? name
      : `the ${name}`
    : acronym
      ? `the committee ${acronym}`
      : 'a committee'
  return { name: words, to: `to ${words}`, of: `of ${words}`, known: name !== null || acronym !== null }
}

/** A sentence begins with a capital letter and ends with a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  const begun = trimmed.charAt(0).toUpperCase() + trimmed.slice(1)
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`
}

/** The short title of a bill, or its long one, or its number. */
export function nameOf(bill: Pick<Bill, 'short_title' | 'title' | 'number'>, language: Language): string {
  return said(bill.short_title, language) ?? said(bill.title, language) ?? bill.number
}

/** "44th Parliament, 1st session"; "44e législature, 1re session". */
export function sessionWords(parliament: number, session: number, language: Language): string {
  if (language === 'fr') {
    const ordinal = (n: number) => `${n}${n === 1 ? 're' : 'e'}`
    return `${ordinal(parliament)} législature, ${ordinal(session)} session`
  }
  const ordinal = (n: number) => {
    const teen = n % 100 >= 11 && n % 100 <= 13
    return n + (teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'))
  }
  return `${ordinal(parliament)} Parliament, ${ordinal(session)} session`
}
