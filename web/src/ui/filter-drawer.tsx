import { X } from 'lucide-react'
import { type ReactNode, useRef, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

const phone = '(max-width: 44rem)'

function subscribe(change: () => void): () => void {
  const media = matchMedia(phone)
  media.addEventListener('change', change)
  return () => media.removeEventListener('change', change)
}

/** Filters in a row. On a phone, a button opens them in a drawer, so that results come first. */
export function FilterDrawer({
  count,
  className,
  children,
}: {
  count: number
  className: string
  children: ReactNode
}) {
  const { t } = useTranslation()
  const narrow = useSyncExternalStore(subscribe, () => matchMedia(phone).matches)
  const dialog = useRef<HTMLDialogElement>(null)
  if (!narrow) return <div className={className}>{children}</div>
  const close = () => dialog.current?.close()
  return (
    <>
      <button type="button" className="btn" aria-haspopup="dialog" onClick={() => dialog.current?.showModal()}>
        {count > 0 ? t('filters.openCount', { count }) : t('filters.open')}
      </button>
      <dialog ref={dialog} className="filter-drawer" aria-label={t('filters.open')}>
        <div className="row between">
          <strong>{t('filters.open')}</strong>
          <button type="button" className="btn ghost icon" aria-label={t('app.close')} onClick={close}>
            <X size={20} aria-hidden />
          </button>
        </div>
        <div className="stack">{children}</div>
        <button type="button" className="btn primary" onClick={close}>
          {t('filters.show')}
        </button>
      </dialog>
    </>
  )
}
