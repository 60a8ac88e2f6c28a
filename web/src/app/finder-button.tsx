import { Search } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { loadPart } from '../ui/load-part'
import { useRole } from './session'

const Finder = loadPart(async () => (await import('../features/finder')).Finder)

const onMac = /mac|iphone|ipad/i.test(navigator.userAgent)

/** Opens the search over everything. The one that is not compact answers Ctrl+K too, also while it is hidden. */
export function FinderButton({ compact }: { compact?: boolean }) {
  const { t } = useTranslation()
  const role = useRole()
  const [open, setOpen] = useState(false)
  useEffect(() => {
    if (compact) return
    const onKey = (e: KeyboardEvent) => {
      if (e.key.toLowerCase() !== 'k' || e.altKey || e.shiftKey || !(onMac ? e.metaKey : e.ctrlKey)) return
      e.preventDefault()
      setOpen((was) => !was)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [compact])
  if (!role || role === 'guest') return null
  return (
    <>
      {compact ? (
        <button type="button" className="btn ghost icon" aria-label={t('finder.title')} onClick={() => setOpen(true)}>
          <Search size={20} aria-hidden />
        </button>
      ) : (
        <button
          type="button"
          className="btn finder-button"
          aria-label={t('finder.title')}
          aria-keyshortcuts={onMac ? 'Meta+K' : 'Control+K'}
          onClick={() => setOpen(true)}
        >
          <Search size={15} aria-hidden />
          <span>{t('finder.short')}</span>
          <kbd aria-hidden>{onMac ? '⌘K' : 'Ctrl K'}</kbd>
        </button>
      )}
      {open && <Finder onClose={() => setOpen(false)} />}
    </>
  )
}
