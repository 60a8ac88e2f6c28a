import { endOf, statusCode } from './status'
import { type AnyBill, type Both, type Chamber, isChamber, type Language } from './words'

export type StepState = 'done' | 'now' | 'ahead' | 'skipped' | 'failed'

/** A step of a bill's way through a chamber. */
export interface Step {
  key: 'first' | 'second' | 'committee' | 'report' | 'third' | 'assent'
  name: string
  state: StepState
  date: string | null
}

/** A bill's way through one chamber, or royal assent (chamber null). */
export interface Lane {
  chamber: Chamber | null
  steps: Step[]
}

const names: Record<Step['key'], Both> = {
  first: { en: 'First reading', fr: 'Première lecture' },
  second: { en: 'Second reading', fr: 'Deuxième lecture' },
  committee: { en: 'Committee', fr: 'Comité' },
  report: { en: 'Report stage', fr: 'Étape du rapport' },
  third: { en: 'Third reading', fr: 'Troisième lecture' },
  assent: { en: 'Royal assent', fr: 'Sanction royale' },
}

/** LEGISinfo's English names of the stages. */
const keys: Record<string, Step['key']> = {
  'First reading': 'first',
  'Second reading': 'second',
  'Consideration in committee': 'committee',
  'Report stage': 'report',
  'Third reading': 'third',
  'Royal assent': 'assent',
}

const order: Step['key'][] = ['first', 'second', 'committee', 'report', 'third']

/** Where a bill of a code stands: the step in progress. Used for bills whose record has no stages. */
const standing: Record<string, [Chamber, Step['key']]> = {
  HouseAt2ndReading: ['house', 'second'],
  OutsideOrderPrecedence: ['house', 'second'],
  HouseInCommittee: ['house', 'committee'],
  HouseBeforeSecondReading: ['house', 'committee'],
  HouseAtReportStage: ['house', 'report'],
  HouseAt3rdReading: ['house', 'third'],
  HouseBillWaitingSenate: ['senate', 'first'],
  SenateAt2ndReading: ['senate', 'second'],
  SenateInCommittee: ['senate', 'committee'],
  SenateAtReportStage: ['senate', 'report'],
  SenateAt3rdReading: ['senate', 'third'],
  SenateBillWaitingHouse: ['house', 'first'],
}

interface Known {
  state: StepState
  date: string | null
}

function fromStages(bill: AnyBill): Map<string, Known> {
  const known = new Map<string, Known>()
  const ended = endOf(bill)
  for (const s of bill.stages ?? []) {
    const key = keys[s.name.en ?? '']
    if (!key || !isChamber(s.chamber)) continue
    const state: StepState =
      s.state === 'completed'
        ? 'done'
        : s.state === 'in_progress'
          ? ended === 'defeated'
            ? 'failed'
            : 'now'
          : s.state === 'not_completed' && (s.started_on ?? s.state_since)
            ? 'failed'
            : 'ahead'
    known.set(key === 'assent' ? 'assent' : `${s.chamber} ${key}`, {
      state,
      date: s.completed_on ?? s.state_since ?? s.started_on,
    })
  }
  return known
}

function fromReadings(bill: AnyBill): Map<string, Known> {
  const known = new Map<string, Known>()
  for (const r of bill.readings ?? []) known.set(`${r.chamber} ${r.reading}`, { state: 'done', date: r.passed_on })
  if (bill.introduced_on && !known.has(`${bill.home_chamber} first`))
    known.set(`${bill.home_chamber} first`, { state: 'done', date: bill.introduced_on })
  return known
}

/** The way of a bill through both chambers, its own first, and royal assent. */
export function progressOf(bill: AnyBill, language: Language): Lane[] {
  const known = (bill.stages?.length ?? 0) > 0 ? fromStages(bill) : fromReadings(bill)
  if (bill.law || bill.royal_assent_on) known.set('assent', { state: 'done', date: bill.royal_assent_on })
  const ended = endOf(bill)
  const standsAt = ended ? undefined : standing[statusCode(bill.status) ?? '']
  if (standsAt && ![...known.values()].some((k) => k.state === 'now')) {
    const key = standsAt.join(' ')
    if (known.get(key)?.state !== 'done') known.set(key, { state: 'now', date: known.get(key)?.date ?? null })
  }
  if (!ended && statusCode(bill.status) === 'RoyalAssentAwaiting') known.set('assent', { state: 'now', date: null })
  const second: Chamber = bill.home_chamber === 'house' ? 'senate' : 'house'
  const way = [
    ...order.map((key) => ({ chamber: bill.home_chamber, key })),
    ...order.map((key) => ({ chamber: second, key })),
    { chamber: null, key: 'assent' as const },
  ]
  const at = (w: (typeof way)[number]) => known.get(w.chamber ? `${w.chamber} ${w.key}` : 'assent')
  const reached = way.reduce((last, w, i) => (['done', 'now', 'failed'].includes(at(w)?.state ?? '') ? i : last), -1)
  const steps = way.map((w, i): Step & { chamber: Chamber | null } => {
    const k = at(w)
    const state = k && k.state !== 'ahead' ? k.state : i < reached ? 'skipped' : 'ahead'
    // A bill that ended goes on nowhere: what was in progress was not completed.
    const final = state === 'now' && ended !== null ? 'failed' : state
    return { ...w, name: names[w.key][language], state: final, date: state === 'ahead' ? null : (k?.date ?? null) }
  })
  return [bill.home_chamber, second, null].map((chamber) => ({
    chamber,
    steps: steps.filter((s) => s.chamber === chamber).map(({ key, name, state, date }) => ({ key, name, state, date })),
  }))
}
