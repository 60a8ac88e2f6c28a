/** LEGISinfo's texts for openparliament.ca's status codes. Bills can be filtered by these codes. */
export const billStatuses: Record<string, { en: string; fr: string }> = {
  HouseAt2ndReading: {
    en: 'At second reading in the House of Commons',
    fr: 'À la deuxième lecture à la Chambre des communes',
  },
  HouseInCommittee: {
    en: 'At consideration in committee in the House of Commons',
    fr: 'À l’examen en comité à la Chambre des communes',
  },
  HouseAtReportStage: {
    en: 'At report stage in the House of Commons',
    fr: 'À l’étape du rapport à la Chambre des communes',
  },
  HouseAt3rdReading: {
    en: 'At third reading in the House of Commons',
    fr: 'À l’étape de la troisième lecture à la Chambre des communes',
  },
  HouseBillWaitingSenate: {
    en: 'House of Commons bill awaiting first reading in the Senate',
    fr: 'Projet de loi de la Chambre des communes en attente de la première lecture au Sénat',
  },
  HouseConsideringSenAmendments: {
    en: 'At consideration in the House of Commons of amendments made by the Senate',
    fr: 'À l’étude par la Chambre des communes des amendements apportés par le Sénat',
  },
  SenateAt2ndReading: { en: 'At second reading in the Senate', fr: 'À la deuxième lecture au Sénat' },
  SenateInCommittee: { en: 'At consideration in committee in the Senate', fr: 'À l’examen en comité au Sénat' },
  SenateAtReportStage: { en: 'At report stage in the Senate', fr: 'À l’étape du rapport au Sénat' },
  SenateAt3rdReading: { en: 'At third reading in the Senate', fr: 'À la troisième lecture au Sénat' },
  SenateBillWaitingHouse: {
    en: 'Senate bill awaiting first reading in the House of Commons',
    fr: 'Projet de loi du Sénat en attente de la première lecture à la Chambre des communes',
  },
  SenConsideringHouseAmendments: {
    en: 'At consideration in the Senate of amendments made by the House of Commons',
    fr: 'À l’étude par le Sénat des amendements apportés par la Chambre des communes',
  },
  OutsideOrderPrecedence: { en: 'Outside the Order of Precedence', fr: 'Ne fait pas partie de l’Ordre de priorité' },
  ProForma: { en: 'Introduced as pro forma bill', fr: 'Présenté en tant que projet de loi pro forma' },
  RoyalAssentAwaiting: { en: 'Awaiting royal assent', fr: 'En attente de la sanction royale' },
  RoyalAssentGiven: { en: 'Royal assent received', fr: 'Sanction royale reçue' },
  BillDefeated: { en: 'Bill defeated', fr: 'Projet de loi rejeté' },
  WillNotBeProceededWith: { en: 'Bill not proceeded with', fr: 'Projet de loi abandonné' },
}

export const sessionPattern = /^[1-9]\d{0,2}-[1-9]\d?$/

/** The session and number in a bill's id, such as "44-1/C-11". */
export function billParams(id: string): { session: string; number: string } {
  const [session = '', number = ''] = id.split('/')
  return { session, number }
}

/** A text in the page's language, or in the other language if there is no other text. */
export function inLanguage(text: { en: string | null; fr: string | null }, language: string): string | null {
  return language === 'fr' ? (text.fr ?? text.en) : (text.en ?? text.fr)
}

/** LEGISinfo's types of bills in French. The filters of the API have them in English. */
const billTypes: Record<string, string> = {
  'House Government Bill': 'Projet de loi du gouvernement (Chambre des communes)',
  'Senate Government Bill': 'Projet de loi du gouvernement (Sénat)',
  "Private Member's Bill": 'Projet de loi d’initiative parlementaire',
  'Senate Public Bill': 'Projet de loi d’intérêt public du Sénat',
  'Senate Private Bill': 'Projet de loi d’intérêt privé du Sénat',
  'Private Bill': 'Projet de loi d’intérêt privé',
}

/** The short names of parties, which openparliament.ca has in English alone. */
const parties: Record<string, string> = {
  Liberal: 'Libéral',
  Conservative: 'Conservateur',
  NDP: 'NPD',
  Bloc: 'Bloc',
  Green: 'Vert',
  Independent: 'Indépendant',
  'Progressive Conservative': 'Progressiste-conservateur',
  Alliance: 'Alliance',
  Reform: 'Réformiste',
}

/** The party of a politician in a language. One that is not known stays as it is. */
export function partyIn(party: { en: string | null; fr: string | null }, language: string): string | null {
  if (language === 'fr') return party.fr ?? (party.en === null ? null : (parties[party.en] ?? party.en))
  return party.en ?? party.fr
}

/** The name of a version of a bill's text. The source has one of them in English in both languages. */
export function publicationName(name: { en: string | null; fr: string | null }, language: string): string | null {
  const found = inLanguage(name, language)
  return language === 'fr' && found === 'Royal Assent' ? 'Sanction royale' : found
}

/** A type of bills in a language. A type that is not known stays as it is. */
export function billType(type: string, language: string): string {
  return language === 'fr' ? (billTypes[type] ?? type) : type
}
