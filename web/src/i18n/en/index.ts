import { assetTexts } from './assets'
import { automationTexts } from './automation'
import { billTexts } from './bills'
import { dataTexts } from './data'
import { generalTexts } from './general'
import { operationTexts } from './operations'
import { readerTexts } from './readers'
import { runTexts } from './runs'
import { systemTexts } from './system'

/** The English texts of the UI, by section. */
export const en = {
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

/** The texts in another language. Every key is required. */
export type Texts = { [S in keyof typeof en]: { [K in keyof (typeof en)[S]]: string } }
