import { type Both, chambers, type Language } from './words'

/** What a sentence of an event can name. */
export interface Names {
  chamber: 'house' | 'senate'
  committee: { name: string; to: string; of: string }
}

type Pattern = [RegExp, Both]

/*
 * LEGISinfo's English name of an event, and a clause about the bill without its day. {chamber} is "the Senate", {at} is
 * "in the Senate", {to} is "to the Senate". {committee}, {toCommittee} and {ofCommittee} are the committee's. {amended}
 * is what the pattern captured, in words; see amendments().
 */
const patterns: Pattern[] = [
  [
    /^introduction and first reading$/,
    { en: 'it was introduced {at} and read a first time', fr: 'il a été déposé {at} et lu une première fois' },
  ],
  [/^first reading$/, { en: 'it was read a first time {at}', fr: 'il a été lu une première fois {at}' }],
  [
    /^second reading and referral to committee$/,
    {
      en: 'it passed second reading {at} and was sent {toCommittee}',
      fr: 'il a été adopté en deuxième lecture {at} et renvoyé {toCommittee}',
    },
  ],
  [/^second reading$/, { en: 'it passed second reading {at}', fr: 'il a été adopté en deuxième lecture {at}' }],
  [/^third reading$/, { en: 'it passed third reading {at}', fr: 'il a été adopté en troisième lecture {at}' }],
  [
    /^referral to committee before second reading$/,
    {
      en: 'it was sent {toCommittee} before second reading',
      fr: 'il a été renvoyé {toCommittee} avant la deuxième lecture',
    },
  ],
  [/^referral to committee$/, { en: 'it was sent {toCommittee}', fr: 'il a été renvoyé {toCommittee}' }],
  [
    /^concurrence at report stage( with.*)?$/,
    { en: 'it was agreed to at report stage {at}{amended}', fr: 'il a été adopté à l’étape du rapport {at}{amended}' },
  ],
  [
    /^placed in the order of precedence$/,
    { en: 'it was placed in the order of precedence', fr: 'il a été ajouté à l’ordre de priorité' },
  ],
  [
    /^committee report presented without (?:an )?amendment$/,
    {
      en: '{committee} reported it {to} without amendment',
      fr: '{committee} en a fait rapport {to} sans amendement',
    },
  ],
  [
    /^committee report presented( with (?:an? )?amendments?)?$/,
    { en: '{committee} reported on it {to}{amended}', fr: '{committee} en a fait rapport {to}{amended}' },
  ],
  [
    /^committee report presented with a recommendation$/,
    {
      en: '{committee} reported on it {to} with a recommendation',
      fr: '{committee} en a fait rapport {to} avec une recommandation',
    },
  ],
  [
    /^committee report adopted( as amended)?$/,
    { en: '{chamber} adopted the report {ofCommittee}', fr: '{chamber} a adopté le rapport {ofCommittee}' },
  ],
  [
    /^committee report defeated$/,
    { en: '{chamber} rejected the report {ofCommittee}', fr: '{chamber} a rejeté le rapport {ofCommittee}' },
  ],
  [
    /^committee report on subject matter of bill tabled$/,
    {
      en: '{committee} tabled a report on its subject {at}',
      fr: '{committee} a déposé un rapport sur son objet {at}',
    },
  ],
  [
    /^deemed reported without amendment$/,
    {
      en: 'it was deemed reported {to} without amendment',
      fr: 'il a été réputé avoir fait l’objet d’un rapport {to}, sans amendement',
    },
  ],
  [
    /^referral of subject matter of bill to committee adopted$/,
    { en: '{chamber} sent its subject {toCommittee}', fr: '{chamber} a renvoyé son objet {toCommittee}' },
  ],
  [
    /^recommittal of bill to committee adopted$/,
    { en: '{chamber} sent it back {toCommittee}', fr: '{chamber} l’a renvoyé de nouveau {toCommittee}' },
  ],
  [
    /^bill defeated at second reading$/,
    { en: 'it was defeated at second reading {at}', fr: 'il a été rejeté en deuxième lecture {at}' },
  ],
  [
    /^bill defeated at third reading$/,
    { en: 'it was defeated at third reading {at}', fr: 'il a été rejeté en troisième lecture {at}' },
  ],
  [
    /^bill defeated at report stage$/,
    { en: 'it was defeated at report stage {at}', fr: 'il a été rejeté à l’étape du rapport {at}' },
  ],
  [
    /^bill defeated at consideration of committee report$/,
    {
      en: 'it was defeated {at} when a committee’s report on it was considered',
      fr: 'il a été rejeté {at} à l’étude du rapport d’un comité',
    },
  ],
  [/^bill defeated$/, { en: 'it was defeated {at}', fr: 'il a été rejeté {at}' }],
  [
    /^reinstated from previous session$/,
    {
      en: 'it was reinstated {at} from the previous session',
      fr: 'il a été rétabli {at} à partir de la session précédente',
    },
  ],
  [
    /^pre-study of house bill$/,
    {
      en: 'the Senate sent its subject {toCommittee} for a pre-study',
      fr: 'le Sénat a renvoyé son objet {toCommittee} pour une étude préalable',
    },
  ],
  [
    /^pre-study of commons bill completed$/,
    { en: 'the Senate’s pre-study of it ended', fr: 'l’étude préalable au Sénat a pris fin' },
  ],
  [
    /^royal assent$/,
    { en: 'it received royal assent and became law', fr: 'il a reçu la sanction royale et est devenu loi' },
  ],
  [
    /^dropped from the senate order paper$/,
    { en: 'it was dropped from the Senate’s Order Paper', fr: 'il a été rayé du Feuilleton du Sénat' },
  ],
  [/^bill not proceeded with$/, { en: 'it was decided not to proceed with it', fr: 'il a été abandonné' }],
  [
    /^consideration of senate amendments$/,
    {
      en: 'the House of Commons considered the Senate’s amendments',
      fr: 'la Chambre des communes a étudié les amendements du Sénat',
    },
  ],
  [
    /^consideration of house of commons amendments$/,
    {
      en: 'the Senate considered the amendments of the House of Commons',
      fr: 'le Sénat a étudié les amendements de la Chambre des communes',
    },
  ],
  [
    /^message sent to the house of commons$/,
    {
      en: 'the Senate sent the House of Commons a message about it',
      fr: 'le Sénat a envoyé un message à son sujet à la Chambre des communes',
    },
  ],
  [
    /^message sent to the senate$/,
    {
      en: 'the House of Commons sent the Senate a message about it',
      fr: 'la Chambre des communes a envoyé un message à son sujet au Sénat',
    },
  ],
  [
    /^concurrence in the motion respecting senate amendments$/,
    {
      en: 'the House of Commons adopted a motion about the Senate’s amendments',
      fr: 'la Chambre des communes a adopté une motion sur les amendements du Sénat',
    },
  ],
  [
    /^concurrence in the motion respecting house of commons amendments$/,
    {
      en: 'the Senate adopted a motion about the amendments of the House of Commons',
      fr: 'le Sénat a adopté une motion sur les amendements de la Chambre des communes',
    },
  ],
  [
    /^concurrence in house of commons amendments$/,
    {
      en: 'the Senate agreed to the amendments of the House of Commons',
      fr: 'le Sénat a adopté les amendements de la Chambre des communes',
    },
  ],
  [
    /^concurrence in senate amendments$/,
    {
      en: 'the House of Commons agreed to the Senate’s amendments',
      fr: 'la Chambre des communes a adopté les amendements du Sénat',
    },
  ],
  [
    /^the senate does not insist on its amendment/,
    { en: 'the Senate no longer insisted on its amendments', fr: 'le Sénat n’a pas insisté sur ses amendements' },
  ],
  [
    /^debate at second reading$/,
    { en: 'it was debated at second reading {at}', fr: 'il a été débattu en deuxième lecture {at}' },
  ],
  [
    /^debate at third reading$/,
    { en: 'it was debated at third reading {at}', fr: 'il a été débattu en troisième lecture {at}' },
  ],
  [
    /^debate at report stage$/,
    { en: 'it was debated at report stage {at}', fr: 'il a été débattu à l’étape du rapport {at}' },
  ],
  [
    /^debate at consideration of committee report$/,
    {
      en: 'the report of a committee on it was debated {at}',
      fr: 'le rapport d’un comité à son sujet a été débattu {at}',
    },
  ],
]

/** " with amendments", " with an amendment", " as amended" → the words after what was decided. */
function amendments(part: string | undefined, language: Language): string {
  if (!part) return ''
  const one = /amendment$/.test(part)
  const further = /further/.test(part)
  if (language === 'fr')
    return one ? ` avec un ${further ? 'autre ' : ''}amendement` : ` avec ${further ? 'd’autres' : 'des'} amendements`
  return one ? ` with ${further ? 'a further' : 'an'} amendment` : ` with ${further ? 'further ' : ''}amendments`
}

/** The sentence of an event, without its day, or null for an event that this program does not know. */
export function eventWords(name: string | null, names: Names, language: Language): string | null {
  const key = (name ?? '').trim().toLowerCase()
  for (const [pattern, words] of patterns) {
    const match = pattern.exec(key)
    if (!match) continue
    const chamber = chambers[names.chamber][language]
    return words[language]
      .replace('{chamber}', chamber.name)
      .replace('{at}', chamber.at)
      .replace('{to}', chamber.to)
      .replace('{committee}', names.committee.name)
      .replace('{toCommittee}', names.committee.to)
      .replace('{ofCommittee}', names.committee.of)
      .replace('{amended}', amendments(match[1], language))
  }
  return null
}
