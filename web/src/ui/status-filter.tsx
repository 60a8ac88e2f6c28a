import { ChevronDown } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { useTranslation } from 'react-i18next'

import { type RunStatus, runStatuses } from '../app/search'
import { formatStatuses, parseStatuses } from '../lib/statuses'
import { Field } from './basics'

/** A filter for one or several statuses of runs, or for all others. The value is as in the API: `failure,canceled`. */
export function StatusFilter({
  value,
  onChange,
}: {
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  const { t } = useTranslation()
  const { chosen, without } = parseStatuses(value)
  const words = chosen.map((s) => t(`status.${s}`)).join(', ')
  const summary = words === '' ? t('app.all') : without ? t('runs.allBut', { statuses: words }) : words
  const toggle = (status: RunStatus) =>
    onChange(formatStatuses({ chosen: runStatuses.filter((s) => chosen.includes(s) !== (s === status)), without }))
  const stay = (e: Event) => e.preventDefault() // so that several can be chosen
  return (
    <Field label={t('runs.status')} id="status">
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger
          id="status"
          className="btn status-filter"
          aria-label={t('app.pair', { name: t('runs.status'), value: summary })}
        >
          <span className="grow">{summary}</span>
          <ChevronDown size={16} aria-hidden />
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="start">
            {runStatuses.map((s) => (
              <DropdownMenu.CheckboxItem
                key={s}
                className="menu-item row"
                checked={chosen.includes(s)}
                onCheckedChange={() => toggle(s)}
                onSelect={stay}
              >
                <span aria-hidden>{chosen.includes(s) ? '☑' : '☐'}</span> {t(`status.${s}`)}
              </DropdownMenu.CheckboxItem>
            ))}
            <DropdownMenu.CheckboxItem
              className="menu-item row"
              checked={without}
              disabled={chosen.length === 0}
              onCheckedChange={() => onChange(formatStatuses({ chosen, without: !without }))}
              onSelect={stay}
            >
              <span aria-hidden>{without ? '☑' : '☐'}</span> {t('runs.leaveOut')}
            </DropdownMenu.CheckboxItem>
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
    </Field>
  )
}
