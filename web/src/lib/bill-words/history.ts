import type { BillDetail } from '@parliament-explorer/sdk'

import { eventWords } from './events'
import { endOf } from './status'
import { type AnyBill, chambers, committeeForms, day, isChamber, type Language, said, sentence } from './words'

/** One thing that happened to a bill, as a sentence. */
export interface Happening {
  date: string | null
  text: string
  note: string | null
  url: string | null
}

interface Event {
  chamber: string | null
  name: { en: string | null; fr: string | null }
  stage?: { en: string | null; fr: string | null }
  date: string | null
  committee?: string | null
  note?: { en: string | null; fr: string | null }
  report_url?: { en: string | null; fr: string | null }
  url?: { en: string | null; fr: string | null }
}

/** The committee of an event. LEGISinfo names it with the stage, more often than with the event. */
function committeeOf(bill: AnyBill, event: Event): string | null {
  if (event.committee) return event.committee
  const stages = bill.stages?.filter((s) => s.chamber === event.chamber) ?? []
  const ofStage = stages.find((s) => s.name.en === event.stage?.en)?.committee
  return ofStage ?? stages.find((s) => s.committee && s.name.en === 'Consideration in committee')?.committee ?? null
}

/** An event as a clause without its day: "it was sent to the Standing Committee on Finance". */
function clause(bill: AnyBill, event: Event, language: Language): string {
  const chamber = isChamber(event.chamber) ? event.chamber : bill.home_chamber
  const committee = committeeForms(bill.committees, committeeOf(bill, event), chamber, language)
  // LEGISinfo has this event in records of bills that went on and became law.
  const givenUp = /^bill not proceeded with$/i.test(event.name.en ?? '') && endOf(bill) !== 'not_proceeded_with'
  const known = givenUp ? null : eventWords(event.name.en, { chamber, committee }, language)
  if (known) return known
  const name = said(event.name, language) ?? (language === 'fr' ? 'événement sans nom' : 'an event without a name')
  const where = isChamber(event.chamber) ? ` (${chambers[event.chamber][language].name})` : ''
  return language === 'fr' ? `LEGISinfo consigne : « ${name} »${where}` : `LEGISinfo records “${name}”${where}`
}

/** "On 12 May 2022 it was …"; "Le 12 mai 2022, il a …". Without a day, the sentence says so. */
export function dated(date: string | null, text: string, language: Language): string {
  const words = day(date, language)
  if (words) return sentence(language === 'fr' ? `Le ${words}, ${text}` : `On ${words} ${text}`)
  return sentence(language === 'fr' ? `À une date inconnue, ${text}` : `On an unknown day ${text}`)
}

const isRoyalAssent = (e: Event) => (e.name.en ?? '').trim().toLowerCase() === 'royal assent'

function royalAssent(bill: AnyBill, language: Language): Happening[] {
  if (!bill.law && !bill.royal_assent_on) return []
  const { statute } = bill
  const text =
    language === 'fr'
      ? 'il a reçu la sanction royale et est devenu ' +
        (statute ? `le chapitre ${statute.chapter} des Lois du Canada (${statute.year})` : 'loi')
      : 'it received royal assent and became ' +
        (statute ? `chapter ${statute.chapter} of the Statutes of Canada, ${statute.year}` : 'law')
  return [{ date: bill.royal_assent_on, text: dated(bill.royal_assent_on, text, language), note: null, url: null }]
}

/** The end of a session that ended the bill. */
function endOfSession(bill: AnyBill, language: Language): Happening[] {
  const end = endOf(bill)
  if (end !== 'died_on_order_paper' && end !== 'reinstated') return []
  const date = bill.outcome?.on ?? null
  const text =
    end === 'reinstated'
      ? language === 'fr'
        ? 'sa session a pris fin; il a été rétabli dans une session ultérieure'
        : 'its session ended; it was reinstated in a later one'
      : language === 'fr'
        ? 'sa session a pris fin et il est mort au Feuilleton'
        : 'its session ended and it died on the Order Paper'
  return [{ date, text: date ? dated(date, text, language) : sentence(text), note: null, url: null }]
}

const readings = { first: 'First reading', second: 'Second reading', third: 'Third reading' } as const

function eventsOf(bill: AnyBill): Event[] {
  const events: Event[] = (bill.events ?? []).filter((e) => !isRoyalAssent(e))
  if (events.length === 0) {
    for (const r of bill.readings ?? []) {
      const first = r.reading === 'first' && r.chamber === bill.home_chamber
      const name = first ? 'Introduction and first reading' : readings[r.reading]
      events.push({ chamber: r.chamber, name: { en: name, fr: null }, date: r.passed_on })
    }
  }
  for (const m of bill.messages ?? []) events.push(m)
  const latest = bill.latest_event
  // The latest event can be in no stage: a bill that was withdrawn, or dropped from the Order Paper.
  const repeated = (e: Event) => e.date === latest?.date && e.name.en === latest?.name.en
  if (latest && !isRoyalAssent(latest) && !events.some(repeated) && !bill.sittings?.some(repeated)) events.push(latest)
  return events
}

/** Everything that happened to a bill, oldest first, in sentences. Debates and meetings are apart. */
export function historyOf(bill: AnyBill, language: Language): Happening[] {
  const told = eventsOf(bill).map((event): Happening => ({
    date: event.date,
    text: dated(event.date, clause(bill, event, language), language),
    note: said(event.note, language),
    url: said(event.report_url, language) ?? said(event.url, language),
  }))
  if (told.length === 0 && bill.introduced_on) {
    const event = { chamber: bill.home_chamber, name: { en: 'Introduction and first reading', fr: null }, date: null }
    const text = dated(bill.introduced_on, clause(bill, event, language), language)
    told.push({ date: bill.introduced_on, text, note: null, url: null })
  }
  return [...told, ...royalAssent(bill, language), ...endOfSession(bill, language)]
    .map((h, i) => ({ h, i }))
    .sort((a, b) => (a.h.date ?? '9').localeCompare(b.h.date ?? '9') || a.i - b.i)
    .map(({ h }) => h)
    .filter((h, i, all) => i === 0 || h.text !== all[i - 1]!.text)
}

/** What happened last, as a sentence. Null if nothing dated is known. */
export function lastOf(bill: AnyBill, language: Language): Happening | null {
  const dates = historyOf(bill, language).filter((h) => h.date !== null)
  const debates = (bill.sittings ?? [])
    .filter((s) => s.date !== null && /^debate/i.test(s.name.en ?? ''))
    .map((s): Happening => ({
      date: s.date,
      text: dated(s.date, clause(bill, s, language), language),
      note: said(s.note, language),
      url: said(s.url, language),
    }))
  const latest = [...debates, ...dates].reduce<Happening | null>(
    (best, h) => (best === null || (h.date ?? '') >= (best.date ?? '') ? h : best),
    null,
  )
  return latest
}

/** Debates of a bill at one stage in one chamber, with their sittings. */
export interface Debates {
  chamber: 'house' | 'senate'
  stage: string
  sittings: { date: string | null; number: string | null; url: string | null }[]
}

/** The debates of a bill by chamber and stage, in the order of the first sitting. */
export function debatesOf(sittings: BillDetail['sittings'], language: Language): Debates[] {
  const groups = new Map<string, Debates>()
  for (const s of sittings) {
    const stage = said(s.stage, language) ?? said(s.name, language) ?? '–'
    const key = `${s.chamber} ${stage}`
    const group: Debates = groups.get(key) ?? { chamber: s.chamber, stage, sittings: [] }
    groups.set(key, group)
    const known = group.sittings.some((o) => o.date === s.date && o.number === s.number)
    if (!known) group.sittings.push({ date: s.date, number: s.number, url: said(s.url, language) })
  }
  return [...groups.values()]
}
