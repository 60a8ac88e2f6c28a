import type { Scope } from '@parliament-explorer/sdk'
import { type ComponentProps, useId } from 'react'
import { useTranslation } from 'react-i18next'

import { useSession } from '../app/session'

const order: Record<Scope, number> = { read: 0, operate: 1, admin: 2 }

/** The reason why the user may not do what needs a scope. Undefined if they may. */
export function useRefusal(scope: Scope = 'operate'): string | undefined {
  const { t } = useTranslation()
  const session = useSession()
  if (session?.authentication !== 'required') return undefined
  if (!session.identity) return t('access.signInFirst')
  const has = session.identity.scope
  return order[has] >= order[scope]
    ? undefined
    : t('access.needs', { scope: t(`access.scope_${scope}`), has: t(`access.scope_${has}`) })
}

/**
 * A button that does something on the server. Without the scope that this needs, it is disabled, and says why. It keeps
 * its place in the Tab order, so that the reason can be read.
 */
export function Act({ scope, onClick, children, ...rest }: ComponentProps<'button'> & { scope?: Scope }) {
  const id = useId()
  const refusal = useRefusal(scope)
  if (refusal === undefined) {
    return (
      <button type="button" onClick={onClick} {...rest}>
        {children}
      </button>
    )
  }
  return (
    <>
      <button {...rest} type="button" disabled={false} aria-disabled aria-describedby={id} title={refusal}>
        {children}
      </button>
      <span id={id} hidden>
        {refusal}
      </span>
    </>
  )
}
