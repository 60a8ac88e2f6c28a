import { Link, useSearch } from '@tanstack/react-router'
import { Bookmark, ChevronDown, X } from 'lucide-react'
import { Popover } from 'radix-ui'
import { type KeyboardEvent, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { formatQuery, parseQuery } from '../lib/query'
import { useSavedViews } from '../lib/saved-views'

const usual = [
  ['runs.viewFailed', 'status=failure&period=24h'],
  ['runs.viewActive', 'status=queued%2Cstarted'],
  ['runs.viewNotSuccess', 'status=-success'],
] as const

/** The arrow keys go from view to view, as in a menu. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (step === undefined) return
  event.preventDefault()
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a')]
  const at = links.indexOf(document.activeElement as HTMLElement)
  links[(at + step + links.length) % links.length]?.focus()
}

/** Views of the list of runs: the usual ones, and those that this browser keeps. Each is an address. */
export function SavedViews() {
  const { t } = useTranslation()
  const id = useId()
  const search = useSearch({ from: '/runs' })
  const { views, save, remove } = useSavedViews()
  const [open, setOpen] = useState(false)
  const [name, setName] = useState('')
  const query = formatQuery(search).slice(1)
  const link = (words: string, to: string) => (
    <Link to="/runs" search={parseQuery(to)} className="menu-item grow break" onClick={() => setOpen(false)}>
      {words}
    </Link>
  )
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className="btn">
        <Bookmark size={16} aria-hidden />
        {t('runs.views')}
        <ChevronDown size={16} aria-hidden />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="menu views" align="end" aria-label={t('runs.views')} onKeyDown={moveFocus}>
          <ul>
            {usual.map(([words, to]) => (
              <li key={words}>{link(t(words), to)}</li>
            ))}
            {views.map((view) => (
              <li key={view.name} className="row">
                {link(view.name, view.query)}
                <button
                  type="button"
                  className="btn ghost icon"
                  aria-label={t('runs.viewRemove', { name: view.name })}
                  title={t('runs.viewRemove', { name: view.name })}
                  onClick={() => remove(view.name)}
                >
                  <X size={15} aria-hidden />
                </button>
              </li>
            ))}
          </ul>
          {query !== '' && (
            <form
              className="row"
              onSubmit={(e) => {
                e.preventDefault()
                save({ name, query })
                setName('')
              }}
            >
              <label className="sr-only" htmlFor={id}>
                {t('runs.viewName')}
              </label>
              <input
                id={id}
                type="text"
                className="grow"
                maxLength={60}
                placeholder={t('runs.saveView')}
                value={name}
                onChange={(e) => setName(e.target.value)}
              />
              <button type="submit" className="btn small" disabled={name.trim() === ''}>
                {t('runs.viewSave')}
              </button>
            </form>
          )}
          <p className="small muted">{t('runs.viewsHelp')}</p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
