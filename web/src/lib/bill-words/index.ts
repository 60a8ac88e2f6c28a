/* All sentences about bills come from here, in both languages. */
export { changeSentences, fieldName } from './changes'
export { citation, statuteWords } from './cite'
export { dated, debatesOf, historyOf, lastOf, type Happening } from './history'
export { type Lane, progressOf, type Step } from './progress'
export { endOf, statusCode, statusWords, type StatusWords, type Term } from './status'
export { type AnyBill, day, type Language, languageOf, nameOf, onDay, said, sentence, sessionWords } from './words'
