import { useTranslation } from 'react-i18next'

import { Field } from './basics'

/** A filter by one of some values, or by none of them. */
export function Choice<T extends string>({
  id,
  label,
  value,
  options,
  all,
  onChange,
}: {
  id: string
  label: string
  value: T | undefined
  options: readonly (readonly [T, string])[]
  all?: string
  onChange: (value: T | undefined) => void
}) {
  const { t } = useTranslation()
  // A value that is no option any more, from a link, is still what is filtered by.
  const known = value === undefined || options.some(([v]) => v === value)
  return (
    <Field label={label} id={id}>
      <select id={id} value={value ?? ''} onChange={(e) => onChange((e.target.value || undefined) as T | undefined)}>
        <option value="">{all ?? t('app.all')}</option>
        {!known && <option value={value}>{value}</option>}
        {options.map(([v, words]) => (
          <option key={v} value={v}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  )
}

/** Takes all filters away. */
export function ResetFilters({ search, onReset }: { search: object; onReset: () => void }) {
  const { t } = useTranslation()
  if (Object.values(search).every((v) => v === undefined)) return null
  return (
    <button type="button" className="btn ghost" onClick={onReset}>
      {t('app.reset')}
    </button>
  )
}
