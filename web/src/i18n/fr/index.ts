import type { Texts } from '../en'
import { assetTexts } from './assets'
import { automationTexts } from './automation'
import { billTexts } from './bills'
import { dataTexts } from './data'
import { generalTexts } from './general'
import { operationTexts } from './operations'
import { readerTexts } from './readers'
import { runTexts } from './runs'
import { systemTexts } from './system'

/** The French texts of the UI, by section. */
export const fr: Texts = {
  ...generalTexts,
  ...assetTexts,
  ...runTexts,
  ...automationTexts,
  ...billTexts,
  ...dataTexts,
  ...operationTexts,
  ...readerTexts,
  ...systemTexts,
}
