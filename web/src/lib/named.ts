import type { TFunction } from 'i18next'

import type { en } from '../i18n/en'

/** The words for a name of the API, or the name if there are none, such as one of a newer server. */
export function named(t: TFunction, section: 'operations' | 'errorClass' | 'checks', name: string): string {
  const key = `${section}.${name}` as `operations.${keyof (typeof en)['operations']}`
  return t(key, { defaultValue: name })
}
