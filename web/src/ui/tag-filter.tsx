import { useTranslation } from 'react-i18next'

import { useDraft } from '../lib/draft'
import { Field } from './basics'

/** The filter of the API for a tag. Undefined until the text is a whole tag. */
export function tagFilter(text: string | undefined): string[] | undefined {
  return text?.includes(':') ? [text] : undefined
}

/** A filter of runs by a tag, key:value. */
export function TagFilter({
  id,
  value,
  onChange,
}: {
  id: string
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  const { t } = useTranslation()
  const [text, setText] = useDraft(value ?? '', (next) => onChange(next || undefined))
  return (
    <Field label={t('runs.tag')} id={id}>
      <input
        id={id}
        type="text"
        value={text}
        placeholder={t('runs.tagPlaceholder')}
        aria-invalid={text !== '' && !tagFilter(text)}
        onChange={(e) => setText(e.target.value)}
      />
    </Field>
  )
}
