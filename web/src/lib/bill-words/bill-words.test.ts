import { describe, expect, test } from 'vitest'

import {
  type AnyBill,
  changeSentences,
  citation,
  day,
  debatesOf,
  historyOf,
  type Language,
  lastOf,
  progressOf,
  sessionWords,
  statusCode,
  statusWords,
} from '.'

const both = (en: string | null, fr: string | null = en) => ({ en, fr })

/** A bill of the House of Commons of which nothing else is known. */
function bill(known: Record<string, unknown> = {}): AnyBill {
  return {
    id: '44-1/C-11',
    jurisdiction: 'ca-federal',
    parliament: 44,
    session: 1,
    number: 'C-11',
    title: both('An Act to amend the Broadcasting Act', 'Loi modifiant la Loi sur la radiodiffusion'),
    short_title: both('Online Streaming Act', 'Loi sur la diffusion continue en ligne'),
    home_chamber: 'house',
    bill_type: both('House Government Bill', 'Projet de loi émanant du gouvernement (Cdc)'),
    government_bill: true,
    private_member_bill: false,
    introduced_on: null,
    status: { code: null, en: null, fr: null },
    latest_activity_at: null,
    law: false,
    royal_assent_on: null,
    statute: null,
    sponsor: null,
    committees: [],
    related_bills: [],
    summary: both(null),
    legisinfo_id: null,
    legisinfo_url: null,
    openparliament_url: null,
    text_url: null,
    missing_since: null,
    sources: { openparliament: null, legisinfo: null },
    version: 1,
    first_seen_at: '2026-06-18T12:00:00Z',
    updated_at: '2026-06-18T12:00:00Z',
    last_run_id: null,
    ...known,
  } as AnyBill
}

const heritage = {
  acronym: 'CHPC',
  chamber: 'house',
  name: both('Standing Committee on Canadian Heritage', 'Comité permanent du patrimoine canadien'),
}

function event(name: string, date: string | null, more: Record<string, unknown> = {}) {
  return {
    chamber: 'house',
    stage: both(null),
    name: both(name),
    date,
    at: null,
    completes_stage: false,
    defeats_bill: false,
    committee: null,
    report: null,
    report_url: both(null),
    sitting: null,
    amendments: 0,
    note: both(null),
    ...more,
  }
}

function stage(
  chamber: string,
  name: string,
  state: string,
  completed: string | null,
  committee: string | null = null,
) {
  return {
    chamber,
    name: both(name),
    state,
    state_since: completed,
    started_on: completed,
    completed_on: state === 'completed' ? completed : null,
    committee,
  }
}

const texts = (b: AnyBill, language: Language) => historyOf(b, language).map((h) => h.text)

test('days are words', () => {
  expect(day('2022-05-12', 'en')).toBe('12 May 2022')
  expect(day('2022-05-01', 'fr')).toBe('1er mai 2022')
  expect(day('2023-04-27T14:00:00-04:00', 'fr')).toBe('27 avril 2023')
  expect(day(null, 'en')).toBeNull()
  expect(day('2022-13-40', 'en')).toBeNull()
})

test('sessions are words', () => {
  expect(sessionWords(41, 2, 'en')).toBe('41st Parliament, 2nd session')
  expect(sessionWords(112, 3, 'en')).toBe('112th Parliament, 3rd session')
  expect(sessionWords(44, 1, 'fr')).toBe('44e législature, 1re session')
})

describe('history', () => {
  test('an event names the committee of its stage', () => {
    const b = bill({
      committees: [heritage],
      stages: [stage('house', 'Second reading', 'completed', '2022-05-12', 'CHPC')],
      events: [
        event('Introduction and first reading', '2022-02-02'),
        event('Second reading and referral to committee', '2022-05-12', { stage: both('Second reading') }),
        event('Committee report presented with amendments', '2022-06-15', { committee: 'CHPC' }),
      ],
    })
    expect(texts(b, 'en')).toEqual([
      'On 2 February 2022 it was introduced in the House of Commons and read a first time.',
      'On 12 May 2022 it passed second reading in the House of Commons and was sent to the Standing Committee on ' +
        'Canadian Heritage.',
      'On 15 June 2022 the Standing Committee on Canadian Heritage reported on it to the House of Commons with ' +
        'amendments.',
    ])
    expect(texts(b, 'fr')).toEqual([
      'Le 2 février 2022, il a été déposé à la Chambre des communes et lu une première fois.',
      'Le 12 mai 2022, il a été adopté en deuxième lecture à la Chambre des communes et renvoyé au Comité permanent ' +
        'du patrimoine canadien.',
      'Le 15 juin 2022, le Comité permanent du patrimoine canadien en a fait rapport à la Chambre des communes avec ' +
        'des amendements.',
    ])
  })

  test('a committee that is not known, and one of which only the acronym is', () => {
    expect(
      texts(bill({ events: [event('Referral to committee', '2022-10-25', { chamber: 'senate' })] }), 'fr'),
    ).toEqual(['Le 25 octobre 2022, il a été renvoyé à un comité.'])
    expect(
      texts(bill({ events: [event('Referral to committee', '2022-10-25', { committee: 'TRCM' })] }), 'en'),
    ).toEqual(['On 25 October 2022 it was sent to the committee TRCM.'])
  })

  test('the committee of the whole', () => {
    const whole = { acronym: 'WHOL', chamber: 'house', name: both('Committee of the Whole', 'comité plénier') }
    const b = bill({
      committees: [whole],
      events: [event('Second reading and referral to committee', '2024-12-10', { committee: 'WHOL' })],
    })
    expect(texts(b, 'en')[0]).toMatch(/was sent to the Committee of the Whole\.$/)
    expect(texts(b, 'fr')[0]).toMatch(/renvoyé au comité plénier\.$/)
  })

  test('royal assent is told once, with the chapter', () => {
    const b = bill({
      law: true,
      royal_assent_on: '2023-04-27',
      statute: { year: 2023, chapter: 8 },
      events: [event('Royal assent', '2023-04-27', { chamber: 'senate' })],
      latest_event: event('Royal assent', '2023-04-27', { chamber: 'senate' }),
    })
    expect(texts(b, 'en')).toEqual([
      'On 27 April 2023 it received royal assent and became chapter 8 of the Statutes of Canada, 2023.',
    ])
    expect(texts(b, 'fr')).toEqual([
      'Le 27 avril 2023, il a reçu la sanction royale et est devenu le chapitre 8 des Lois du Canada (2023).',
    ])
  })

  test('an event that is not known keeps LEGISinfo’s words', () => {
    const b = bill({ events: [event('Something new', '2026-01-05', { name: both('Something new', 'Du nouveau') })] })
    expect(texts(b, 'en')).toEqual(['On 5 January 2026 LEGISinfo records “Something new” (the House of Commons).'])
    expect(texts(b, 'fr')).toEqual([
      'Le 5 janvier 2026, LEGISinfo consigne : « Du nouveau » (la Chambre des communes).',
    ])
  })

  test('a law is never told to be given up, as the record of 44-1/C-11 has it', () => {
    const b = bill({ law: true, events: [event('Bill not proceeded with', '2023-03-30')] })
    expect(texts(b, 'en')[0]).toContain('LEGISinfo records “Bill not proceeded with”')
    const given = bill({
      outcome: { code: 'not_proceeded_with', on: null },
      events: [event('Bill not proceeded with', null)],
    })
    expect(texts(given, 'en')).toEqual(['On an unknown day it was decided not to proceed with it.'])
  })

  test('a bill without any date has no history and no last event', () => {
    for (const language of ['en', 'fr'] as const) {
      expect(historyOf(bill(), language)).toEqual([])
      expect(lastOf(bill(), language)).toBeNull()
    }
  })

  test('an old session without details: readings, such as those of 36-1/C-23A', () => {
    const b = bill({
      id: '36-1/C-23A',
      number: 'C-23A',
      parliament: 36,
      readings: [
        { chamber: 'house', reading: 'first', passed_on: '1998-02-04' },
        { chamber: 'house', reading: 'second', passed_on: '1998-02-10' },
        { chamber: 'senate', reading: 'first', passed_on: '1998-03-01' },
      ],
    })
    expect(texts(b, 'en')).toEqual([
      'On 4 February 1998 it was introduced in the House of Commons and read a first time.',
      'On 10 February 1998 it passed second reading in the House of Commons.',
      'On 1 March 1998 it was read a first time in the Senate.',
    ])
    expect(texts(b, 'fr')[2]).toBe('Le 1er mars 1998, il a été lu une première fois au Sénat.')
  })

  test('the end of the session', () => {
    const died = bill({ introduced_on: '2021-06-01', outcome: { code: 'died_on_order_paper', on: '2021-08-15' } })
    expect(texts(died, 'en')).toEqual([
      'On 1 June 2021 it was introduced in the House of Commons and read a first time.',
      'On 15 August 2021 its session ended and it died on the Order Paper.',
    ])
    const back = bill({ outcome: { code: 'reinstated', on: null } })
    expect(texts(back, 'fr')).toEqual(['Sa session a pris fin; il a été rétabli dans une session ultérieure.'])
  })

  test('the last event can be a debate', () => {
    const b = bill({
      events: [event('Introduction and first reading', '2025-06-05')],
      sittings: [
        {
          chamber: 'house',
          stage: both('Second reading'),
          name: both('Debate at second reading'),
          number: '10',
          date: '2025-06-06',
          note: both(null),
          url: both('https://www.ourcommons.ca/x'),
        },
      ],
    })
    expect(lastOf(b, 'en')?.text).toBe('On 6 June 2025 it was debated at second reading in the House of Commons.')
    expect(debatesOf(b.sittings!, 'en')).toEqual([
      {
        chamber: 'house',
        stage: 'Second reading',
        sittings: [{ date: '2025-06-06', number: '10', url: 'https://www.ourcommons.ca/x' }],
      },
    ])
  })
})

describe('status', () => {
  test('LEGISinfo’s words are enough where there is no code', () => {
    expect(
      statusCode({
        code: null,
        en: 'Referred to committee before second reading in the House of Commons',
        fr: null,
      }),
    ).toBe('HouseBeforeSecondReading')
    const s = statusWords(
      bill({ status: { code: 'OutsideOrderPrecedence', en: 'Outside the Order of Precedence', fr: null } }),
      'en',
    )
    expect(s.explanation).toMatch(/^Outside the order of precedence: /)
    expect(s.term).toBe('order-of-precedence')
    expect(s.next).toBe('A place in the order of precedence, then second reading.')
  })

  test('after third reading in its own chamber, a bill goes to the other; after that, to royal assent', () => {
    const own = bill({ home_chamber: 'senate', status: { code: 'SenateAt3rdReading', en: null, fr: null } })
    expect(statusWords(own, 'en').next).toMatch(/it goes to the House of Commons\.$/)
    const other = bill({ home_chamber: 'senate', status: { code: 'HouseAt3rdReading', en: null, fr: null } })
    expect(statusWords(other, 'fr').next).toMatch(/la sanction royale.*retourne au Sénat\.$/)
  })

  test('a bill that died says how far it had got, and nothing comes next', () => {
    const b = bill({
      status: { code: 'HouseAt2ndReading', en: 'At second reading in the House of Commons', fr: null },
      outcome: { code: 'died_on_order_paper', on: '2025-01-06' },
    })
    const s = statusWords(b, 'en')
    expect(s.headline).toBe('This bill died when its session ended')
    expect(s.explanation).toMatch(/It had got this far: at second reading in the House of Commons\.$/)
    expect(s.next).toBeNull()
  })

  test('a law, an unknown status and no status', () => {
    expect(statusWords(bill({ law: true, royal_assent_on: '2023-04-27' }), 'fr').headline).toBe(
      'Ce projet de loi est devenu loi (27 avril 2023)',
    )
    expect(statusWords(bill({ status: { code: 'New', en: 'A new status', fr: null } }), 'fr').headline).toBe(
      'A new status',
    )
    expect(statusWords(bill(), 'en').headline).toBe('Status unknown')
  })

  test('every status has words in both languages, without a word of the operators', () => {
    const codes =
      'HouseAt2ndReading HouseInCommittee HouseAtReportStage HouseAt3rdReading HouseBillWaitingSenate ' +
      'HouseConsideringSenAmendments SenateAt2ndReading SenateInCommittee SenateAtReportStage SenateAt3rdReading ' +
      'SenateBillWaitingHouse SenConsideringHouseAmendments OutsideOrderPrecedence ProForma RoyalAssentAwaiting ' +
      'RoyalAssentGiven BillDefeated WillNotBeProceededWith'
    for (const code of codes.split(' ')) {
      const b = bill({ status: { code, en: 'x', fr: 'x' } })
      const [en, fr] = [statusWords(b, 'en'), statusWords(b, 'fr')]
      expect(en.explanation, code).not.toBe('')
      expect(fr.explanation, code).not.toBe(en.explanation)
      expect(fr.headline, code).not.toBe(en.headline)
      expect(JSON.stringify([en, fr]), code).not.toMatch(/worker|materializ|run\b|asset|undefined/i)
    }
  })
})

describe('progress', () => {
  const states = (b: AnyBill) => progressOf(b, 'en').map((lane) => lane.steps.map((s) => s.state).join(' '))

  test('a bill of the Senate begins there', () => {
    const b = bill({
      home_chamber: 'senate',
      status: { code: 'HouseAt2ndReading', en: null, fr: null },
      stages: [
        stage('senate', 'First reading', 'completed', '2021-11-24'),
        stage('senate', 'Second reading', 'completed', '2021-12-01'),
        stage('senate', 'Third reading', 'completed', '2021-12-10'),
        stage('house', 'First reading', 'completed', '2022-02-02'),
        stage('house', 'Second reading', 'in_progress', '2022-03-02'),
        stage('house', 'Consideration in committee', 'not_reached', null),
      ],
    })
    expect(progressOf(b, 'en').map((l) => l.chamber)).toEqual(['senate', 'house', null])
    expect(states(b)).toEqual(['done done skipped skipped done', 'done now ahead ahead ahead', 'ahead'])
  })

  test('a defeated bill stops where it was defeated', () => {
    const b = bill({
      outcome: { code: 'defeated', on: '2023-01-01' },
      stages: [
        stage('house', 'First reading', 'completed', '2022-02-02'),
        stage('house', 'Second reading', 'not_completed', '2022-05-12'),
      ],
    })
    expect(states(b)).toEqual(['done failed ahead ahead ahead', 'ahead ahead ahead ahead ahead', 'ahead'])
  })

  test('without stages, readings and the status tell it', () => {
    expect(states(bill())).toEqual(['ahead ahead ahead ahead ahead', 'ahead ahead ahead ahead ahead', 'ahead'])
    const b = bill({
      introduced_on: '1997-10-01',
      status: { code: null, en: 'At consideration in committee in the House of Commons', fr: null },
      readings: [{ chamber: 'house', reading: 'second', passed_on: '1997-11-01' }],
    })
    expect(states(b)[0]).toBe('done done now ahead ahead')
  })

  test('a law is done', () => {
    const b = bill({ law: true, royal_assent_on: '2023-04-27', readings: [] })
    expect(progressOf(b, 'fr')[2]!.steps).toEqual([
      { key: 'assent', name: 'Sanction royale', state: 'done', date: '2023-04-27' },
    ])
  })
})

test('a list says of a bill of a past session that it was not decided', () => {
  const known = { status: both('Outside the Order of Precedence'), session_ended: true }
  const stage = { ...known, status: { code: 'OutsideOrderPrecedence', en: 'x', fr: 'x' } }
  expect(statusWords(bill(stage), 'en').headline).toBe('Its session ended before it was decided')
  expect(statusWords(bill({ ...stage, session_ended: false }), 'en').headline).toMatch(/waiting for its turn/)
  expect(statusWords(bill({ ...stage, law: true }), 'en').headline).toMatch(/^This bill is law/)
  // A whole record knows more.
  const outcome = { code: 'died_on_order_paper', on: '2025-01-06' }
  expect(statusWords(bill({ ...stage, outcome }), 'en').headline).toBe('This bill died when its session ended')
})

test('a citation has the session, the statute and the day seen', () => {
  const b = bill({ statute: { year: 2023, chapter: 8 } })
  expect(citation(b, 'https://example.org/ui/bills/44-1/C-11', '2026-11-26', 'en')).toBe(
    'Bill C-11, An Act to amend the Broadcasting Act, 44th Parliament, 1st session (S.C. 2023, c. 8). ' +
      'Parliament Explorer, https://example.org/ui/bills/44-1/C-11 (seen on 26 November 2026).',
  )
  expect(citation(b, 'https://example.org/', '2026-12-01', 'fr')).toContain('(consulté le 1er décembre 2026)')
})

test('changes of a version are sentences', () => {
  expect(changeSentences([], 1, 'en')).toEqual(['This bill was added to this copy.'])
  const changes = [
    { field: 'law', from: false, to: true },
    {
      field: 'status',
      from: null,
      to: { code: 'RoyalAssentGiven', en: 'Royal assent received', fr: 'Sanction royale reçue' },
    },
    { field: 'short_title', from: null, to: { en: 'x', fr: 'y' } },
    { field: 'latest_activity_at', from: null, to: '2023-04-27T14:00:00-04:00' },
  ]
  expect(changeSentences(changes, 2, 'en')).toEqual(['It became law.', 'Also changed: short title.'])
  expect(changeSentences(changes.slice(1, 2), 3, 'fr')).toEqual(['Son nouvel état : « Sanction royale reçue ».'])
  expect(changeSentences(changes.slice(3), 4, 'fr')).toEqual(['Une nouvelle activité a été consignée.'])
})
