import { useTranslation } from 'react-i18next'

import { Field } from './basics'

/** A filter with a list of values. An empty value means no filter. */
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
  // A link can contain a value that is no longer an option. The filter still applies it.
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

/** Clears all filters. */
export function ResetFilters({ search, onReset }: { search: object; onReset: () => void }) {
  const { t } = useTranslation()
  if (Object.values(search).every((v) => v === undefined)) return null
  return (
    <button type="button" className="btn ghost" onClick={onReset}>
      {t('app.reset')}
    </button>
  )
}
