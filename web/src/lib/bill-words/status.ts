import { type AnyBill, type Both, chambers, day, type Language, said } from './words'

/** The state of a bill in plain words. `term` is the glossary's entry about it. */
export interface StatusWords {
  headline: string
  explanation: string
  next: string | null
  term: Term | null
  tone: 'good' | 'bad' | 'warn' | 'busy' | ''
}

export type Term =
  | 'first-reading'
  | 'second-reading'
  | 'committee-stage'
  | 'report-stage'
  | 'third-reading'
  | 'royal-assent'
  | 'order-of-precedence'
  | 'order-paper'
  | 'pro-forma-bill'
  | 'reinstatement'
  | 'message'

interface Stage {
  headline: Both
  explanation: Both
  next: Both
  term: Term
}

const second = (chamber: 'house' | 'senate'): Stage => ({
  headline: {
    en: `At second reading ${chambers[chamber].en.at}`,
    fr: `En deuxième lecture ${chambers[chamber].fr.at}`,
  },
  explanation: {
    en:
      `${chamber === 'house' ? 'Members' : 'Senators'} debate the principle of the bill, then vote on it as a ` +
      'whole. Its wording is not changed at this stage.',
    fr:
      `Les ${chamber === 'house' ? 'députés' : 'sénateurs'} débattent du principe du projet de loi, puis votent sur ` +
      'l’ensemble. Le texte n’est pas modifié à cette étape.',
  },
  next: {
    en: 'A vote at second reading. If the bill passes, a committee studies it.',
    fr: 'Un vote en deuxième lecture. Si le projet de loi est adopté, un comité l’étudie.',
  },
  term: 'second-reading',
})

const inCommittee = (chamber: 'house' | 'senate'): Stage => ({
  headline: {
    en: `In committee ${chambers[chamber].en.at}`,
    fr: `En comité ${chambers[chamber].fr.at}`,
  },
  explanation: {
    en: 'A committee hears witnesses, goes through the bill clause by clause, and may propose amendments.',
    fr: 'Un comité entend des témoins, étudie le projet de loi article par article, et peut proposer des amendements.',
  },
  next: {
    en: `The committee reports the bill ${chambers[chamber].en.to}, with or without amendments.`,
    fr: `Le comité fait rapport du projet de loi ${chambers[chamber].fr.to}, avec ou sans amendement.`,
  },
  term: 'committee-stage',
})

const report = (chamber: 'house' | 'senate'): Stage => ({
  headline: {
    en: `At report stage ${chambers[chamber].en.at}`,
    fr: `À l’étape du rapport ${chambers[chamber].fr.at}`,
  },
  explanation: {
    en:
      `The committee has reported. ${chamber === 'house' ? 'The House of Commons' : 'The Senate'} decides on the ` +
      'amendments that were proposed.',
    fr:
      `Le comité a fait rapport. ${chamber === 'house' ? 'La Chambre des communes' : 'Le Sénat'} se prononce sur ` +
      'les amendements proposés.',
  },
  next: { en: 'Third reading.', fr: 'La troisième lecture.' },
  term: 'report-stage',
})

const third = (chamber: 'house' | 'senate'): Stage => ({
  headline: {
    en: `At third reading ${chambers[chamber].en.at}`,
    fr: `En troisième lecture ${chambers[chamber].fr.at}`,
  },
  explanation: {
    en: `The last debate and the last vote on the bill ${chambers[chamber].en.at}, in its final form.`,
    fr:
      `Le dernier débat et le dernier vote sur le projet de loi ${chambers[chamber].fr.at}, dans sa forme ` +
      'définitive.',
  },
  next: { en: '', fr: '' }, // depends on whether the other chamber has passed the bill
  term: 'third-reading',
})

const awaiting = (chamber: 'house' | 'senate'): Stage => ({
  headline: {
    en: `Waiting for first reading ${chambers[chamber].en.at}`,
    fr: `En attente de la première lecture ${chambers[chamber].fr.at}`,
  },
  explanation: {
    en:
      `${chamber === 'senate' ? 'The House of Commons' : 'The Senate'} has passed the bill. Both chambers must pass ` +
      'it in the same words before it can become law.',
    fr:
      `${chamber === 'senate' ? 'La Chambre des communes' : 'Le Sénat'} a adopté le projet de loi. Les deux ` +
      'chambres doivent l’adopter dans les mêmes termes pour qu’il puisse devenir loi.',
  },
  next: {
    en: `First reading ${chambers[chamber].en.at}.`,
    fr: `La première lecture ${chambers[chamber].fr.at}.`,
  },
  term: 'first-reading',
})

const amendmentsIn = (chamber: 'house' | 'senate'): Stage => {
  const other = chamber === 'house' ? 'senate' : 'house'
  return {
    headline: {
      en:
        `${chamber === 'house' ? 'The House of Commons' : 'The Senate'} is considering amendments made by ` +
        `${chambers[other].en.name}`,
      fr:
        `${chamber === 'house' ? 'La Chambre des communes' : 'Le Sénat'} étudie des amendements ` +
        `${other === 'house' ? 'de la Chambre des communes' : 'du Sénat'}`,
    },
    explanation: {
      en: 'Both chambers have passed the bill, but not in the same words. They exchange messages until they agree.',
      fr:
        'Les deux chambres ont adopté le projet de loi, mais pas dans les mêmes termes. Elles échangent des ' +
        'messages jusqu’à ce qu’elles s’entendent.',
    },
    next: {
      en:
        `A decision ${chambers[chamber].en.at}: accept the amendments, reject them or change them, and tell ` +
        `${chambers[other].en.name}.`,
      fr:
        `Une décision ${chambers[chamber].fr.at} : accepter les amendements, les rejeter ou les modifier, et en ` +
        `aviser ${chambers[other].fr.name}.`,
    },
    term: 'message',
  }
}

const stages: Record<string, Stage> = {
  HouseAt2ndReading: second('house'),
  HouseInCommittee: inCommittee('house'),
  HouseAtReportStage: report('house'),
  HouseAt3rdReading: third('house'),
  HouseBillWaitingSenate: awaiting('senate'),
  HouseConsideringSenAmendments: amendmentsIn('house'),
  SenateAt2ndReading: second('senate'),
  SenateInCommittee: inCommittee('senate'),
  SenateAtReportStage: report('senate'),
  SenateAt3rdReading: third('senate'),
  SenateBillWaitingHouse: awaiting('house'),
  SenConsideringHouseAmendments: amendmentsIn('senate'),
  HouseBeforeSecondReading: {
    headline: {
      en: 'In committee before second reading in the House of Commons',
      fr: 'En comité avant la deuxième lecture à la Chambre des communes',
    },
    explanation: {
      en:
        'A committee studies the bill before the House of Commons votes on its principle, so it can change more of ' +
        'it.',
      fr:
        'Un comité étudie le projet de loi avant que la Chambre des communes ne vote sur son principe, et peut donc ' +
        'le modifier davantage.',
    },
    next: {
      en: 'The committee reports the bill to the House of Commons, with or without amendments.',
      fr: 'Le comité fait rapport du projet de loi à la Chambre des communes, avec ou sans amendement.',
    },
    term: 'committee-stage',
  },
  OutsideOrderPrecedence: {
    headline: {
      en: 'Introduced, and waiting for its turn in the House of Commons',
      fr: 'Déposé, et en attente de son tour à la Chambre des communes',
    },
    explanation: {
      en:
        'Outside the order of precedence: the bill is not among the items of private members’ business that the ' +
        'House of Commons takes up. Members’ turns are drawn by lot. Many bills never have one.',
      fr:
        'Hors de l’ordre de priorité : le projet de loi n’est pas parmi les affaires émanant des députés que la ' +
        'Chambre des communes étudie. Le tour des députés est tiré au sort. Beaucoup de projets de loi ne sont ' +
        'jamais étudiés.',
    },
    next: {
      en: 'A place in the order of precedence, then second reading.',
      fr: 'Une place dans l’ordre de priorité, puis la deuxième lecture.',
    },
    term: 'order-of-precedence',
  },
  RoyalAssentAwaiting: {
    headline: { en: 'Passed, and waiting for royal assent', fr: 'Adopté, et en attente de la sanction royale' },
    explanation: {
      en: 'Both chambers have passed the bill in the same words.',
      fr: 'Les deux chambres ont adopté le projet de loi dans les mêmes termes.',
    },
    next: {
      en: 'Royal assent, given for the Sovereign by the Governor General or a deputy. With it, the bill becomes law.',
      fr:
        'La sanction royale, donnée au nom du souverain par la gouverneure générale ou le gouverneur général, ou ' +
        'par un suppléant. Le projet de loi devient alors loi.',
    },
    term: 'royal-assent',
  },
}

/** LEGISinfo's English words for a state that has no code, in lower case. */
const byWords: Record<string, string> = {
  'at second reading in the house of commons': 'HouseAt2ndReading',
  'at consideration in committee in the house of commons': 'HouseInCommittee',
  'at report stage in the house of commons': 'HouseAtReportStage',
  'at third reading in the house of commons': 'HouseAt3rdReading',
  'house of commons bill awaiting first reading in the senate': 'HouseBillWaitingSenate',
  'at consideration in the house of commons of amendments made by the senate': 'HouseConsideringSenAmendments',
  'at second reading in the senate': 'SenateAt2ndReading',
  'at consideration in committee in the senate': 'SenateInCommittee',
  'at report stage in the senate': 'SenateAtReportStage',
  'at third reading in the senate': 'SenateAt3rdReading',
  'senate bill awaiting first reading in the house of commons': 'SenateBillWaitingHouse',
  'at consideration in the senate of amendments made by the house of commons': 'SenConsideringHouseAmendments',
  'outside the order of precedence': 'OutsideOrderPrecedence',
  'introduced as pro forma bill': 'ProForma',
  'awaiting royal assent': 'RoyalAssentAwaiting',
  'royal assent received': 'RoyalAssentGiven',
  'bill defeated': 'BillDefeated',
  'bill not proceeded with': 'WillNotBeProceededWith',
  'referred to committee before second reading in the house of commons': 'HouseBeforeSecondReading',
}

/** The code of a bill's state, also where only LEGISinfo's words name it. */
export function statusCode(status: AnyBill['status']): string | null {
  const words = byWords[(status.en ?? '').trim().toLowerCase()]
  return words ?? status.code
}

const ends: Record<
  string,
  Omit<StatusWords, 'headline' | 'explanation' | 'next'> & Record<'headline' | 'explanation' | 'next', Both>
> = {
  became_law: {
    headline: { en: 'This bill is law', fr: 'Ce projet de loi est devenu loi' },
    explanation: {
      en:
        'Both chambers passed it and it received royal assent. Parts of an act can come into force later, on a day ' +
        'that the act or the government sets.',
      fr:
        'Les deux chambres l’ont adopté et il a reçu la sanction royale. Des parties d’une loi peuvent entrer en ' +
        'vigueur plus tard, à une date que fixe la loi ou le gouvernement.',
    },
    next: { en: '', fr: '' },
    term: 'royal-assent',
    tone: 'good',
  },
  defeated: {
    headline: { en: 'This bill was defeated', fr: 'Ce projet de loi a été rejeté' },
    explanation: {
      en: 'A majority voted against it. It goes no further.',
      fr: 'Une majorité a voté contre. Il ne va pas plus loin.',
    },
    next: { en: '', fr: '' },
    term: null,
    tone: 'bad',
  },
  not_proceeded_with: {
    headline: { en: 'This bill was given up', fr: 'Ce projet de loi a été abandonné' },
    explanation: {
      en: 'It was withdrawn, or it was ruled that it could not go on. It goes no further.',
      fr: 'Il a été retiré, ou il a été décidé qu’il ne pouvait pas continuer. Il ne va pas plus loin.',
    },
    next: { en: '', fr: '' },
    term: null,
    tone: 'bad',
  },
  dropped_from_order_paper: {
    headline: {
      en: 'This bill was dropped from the Senate’s Order Paper',
      fr: 'Ce projet de loi a été rayé du Feuilleton du Sénat',
    },
    explanation: {
      en: 'The Senate no longer has it among its business. It goes no further.',
      fr: 'Il ne fait plus partie des travaux du Sénat. Il ne va pas plus loin.',
    },
    next: { en: '', fr: '' },
    term: 'order-paper',
    tone: 'bad',
  },
  reinstated: {
    headline: {
      en: 'This bill continued in a later session',
      fr: 'Ce projet de loi s’est poursuivi dans une session ultérieure',
    },
    explanation: {
      en: 'Its session ended before it was decided. It was reinstated in the next one at the stage it had reached.',
      fr:
        'Sa session a pris fin avant qu’il ne soit décidé. Il a été rétabli dans la suivante, à l’étape qu’il avait ' +
        'atteinte.',
    },
    next: { en: '', fr: '' },
    term: 'reinstatement',
    tone: 'busy',
  },
  session_ended: {
    headline: { en: 'Its session ended before it was decided', fr: 'Sa session a pris fin avant la décision' },
    explanation: {
      en: 'The bill died on the Order Paper, or was reinstated in a later session.',
      fr: 'Le projet de loi est mort au Feuilleton, ou a été rétabli dans une session ultérieure.',
    },
    next: { en: '', fr: '' },
    term: 'order-paper',
    tone: '',
  },
  died_on_order_paper: {
    headline: { en: 'This bill died when its session ended', fr: 'Ce projet de loi est mort à la fin de sa session' },
    explanation: {
      en:
        'It died on the Order Paper: Parliament was prorogued or dissolved before the bill was decided. The same ' +
        'proposal can come back only as another bill.',
      fr:
        'Il est mort au Feuilleton : le Parlement a été prorogé ou dissous avant que le projet de loi ne soit ' +
        'décidé. La proposition ne peut revenir que sous la forme d’un autre projet de loi.',
    },
    next: { en: '', fr: '' },
    term: 'order-paper',
    tone: 'warn',
  },
  pro_forma: {
    headline: { en: 'A pro forma bill', fr: 'Un projet de loi pro forma' },
    explanation: {
      en:
        'It is introduced at the opening of a session to assert the chamber’s right to deliberate before it turns ' +
        'to the Speech from the Throne. It is not meant to become law.',
      fr:
        'Il est déposé à l’ouverture d’une session pour affirmer le droit de la chambre de délibérer avant de ' +
        'passer au discours du Trône. Il n’est pas destiné à devenir loi.',
    },
    next: { en: '', fr: '' },
    term: 'pro-forma-bill',
    tone: '',
  },
}

const endOfCode: Record<string, string> = {
  RoyalAssentGiven: 'became_law',
  BillDefeated: 'defeated',
  WillNotBeProceededWith: 'not_proceeded_with',
  ProForma: 'pro_forma',
}

/** How a bill ended, or null while it goes on or if that is not known. */
export function endOf(bill: AnyBill): string | null {
  if (bill.outcome && bill.outcome.code !== 'in_progress' && bill.outcome.code in ends) return bill.outcome.code
  if (bill.law) return 'became_law'
  const end = endOfCode[statusCode(bill.status) ?? '']
  // A list knows no more than that the session is over.
  return end ?? (bill.session_ended && !bill.outcome ? 'session_ended' : null)
}

function afterThird(bill: AnyBill, chamber: 'house' | 'senate', language: Language): string {
  const other = chamber === 'house' ? 'senate' : 'house'
  if (bill.home_chamber === chamber) {
    return language === 'fr'
      ? `Le vote final. Si le projet de loi est adopté, il passe ${chambers[other].fr.to}.`
      : `The final vote. If the bill passes, it goes ${chambers[other].en.to}.`
  }
  return language === 'fr'
    ? 'Le vote final. Si le projet de loi est adopté sans amendement, il attend la sanction royale. ' +
        `S’il est amendé, il retourne ${chambers[other].fr.to}.`
    : 'The final vote. If the bill passes without amendment, it waits for royal assent. ' +
        `With amendments, it goes back ${chambers[other].en.to}.`
}

/** The state of a bill in plain words: what it is, what that means and what comes next. */
export function statusWords(bill: AnyBill, language: Language): StatusWords {
  const code = statusCode(bill.status)
  const end = ends[endOf(bill) ?? '']
  if (end) {
    const died = endOf(bill) === 'died_on_order_paper' || endOf(bill) === 'reinstated'
    const reached = died ? stages[code ?? '']?.headline[language] : undefined
    const on = day(bill.outcome?.on ?? bill.royal_assent_on, language)
    const headline = on && !died ? `${end.headline[language]} (${on})` : end.headline[language]
    const where = reached
      ? (language === 'fr' ? ' Dernière étape atteinte : ' : ' It had got this far: ') +
        reached.charAt(0).toLowerCase() +
        reached.slice(1) +
        '.'
      : ''
    return { headline, explanation: end.explanation[language] + where, next: null, term: end.term, tone: end.tone }
  }
  const stage = stages[code ?? '']
  if (!stage) {
    const words = said(bill.status, language)
    return {
      headline: words ?? (language === 'fr' ? 'État inconnu' : 'Status unknown'),
      explanation: words
        ? ''
        : language === 'fr'
          ? 'Aucune des sources ne dit encore où en est ce projet de loi.'
          : 'Neither source says yet where this bill stands.',
      next: null,
      term: null,
      tone: '',
    }
  }
  const next =
    code === 'HouseAt3rdReading' || code === 'SenateAt3rdReading'
      ? afterThird(bill, code === 'HouseAt3rdReading' ? 'house' : 'senate', language)
      : stage.next[language]
  return {
    headline: stage.headline[language],
    explanation: stage.explanation[language],
    next,
    term: stage.term,
    tone: code === 'RoyalAssentAwaiting' ? 'good' : 'busy',
  }
}
