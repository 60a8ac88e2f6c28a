import { type AnyBill, day, type Language, nameOf, said, sessionWords } from './words'

/** How to cite a bill, with the address and the day on which it was seen. */
export function citation(bill: AnyBill, address: string, seen: string, language: Language): string {
  const title = said(bill.title, language) ?? nameOf(bill, language)
  const where = sessionWords(bill.parliament, bill.session, language)
  const on = day(seen, language) ?? seen
  if (language === 'fr') {
    const law = bill.statute ? ` (L.C. ${bill.statute.year}, ch. ${bill.statute.chapter})` : ''
    const source = `Parliament Explorer, ${address} (consulté le ${on}).`
    return `Projet de loi ${bill.number}, ${title}, ${where}${law}. ${source}`
  }
  const law = bill.statute ? ` (S.C. ${bill.statute.year}, c. ${bill.statute.chapter})` : ''
  return `Bill ${bill.number}, ${title}, ${where}${law}. Parliament Explorer, ${address} (seen on ${on}).`
}

/** The statute that a bill became: "Statutes of Canada 2023, chapter 8". */
export function statuteWords(bill: AnyBill, language: Language): string | null {
  if (!bill.statute) return null
  const { year, chapter } = bill.statute
  return language === 'fr'
    ? `Lois du Canada (${year}), chapitre ${chapter}`
    : `Statutes of Canada ${year}, chapter ${chapter}`
}
