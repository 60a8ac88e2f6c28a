import { signIn, type SessionState } from '@parliament-explorer/sdk'
import { useMutation } from '@tanstack/react-query'
import { KeyRound, LogIn } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { serverUrl } from '../lib/base'
import { samePath } from '../lib/same-site'
import { signInAgain } from '../lib/sign-in-again'
import { Card, Command, PageHead } from '../ui/basics'
import { Problem } from '../ui/problem'

export function SignIn({ session, returnTo }: { session: SessionState; returnTo?: string }) {
  const { t } = useTranslation()
  const [key, setKey] = useState('')
  const to = samePath(returnTo, location.pathname + location.search)
  const provider = serverUrl('session/oidc') + '?return_to=' + encodeURIComponent(to)
  useEffect(() => {
    void signInAgain(session, provider, {
      storage: sessionStorage,
      // eslint-disable-next-line no-restricted-globals -- the SDK does not report redirects
      fetch: (url, init) => fetch(url, init),
      go: (url) => location.replace(url),
    })
  }, [session, provider])
  const enter = useMutation({
    mutationFn: () => signIn({ body: { key: key.trim() } }),
    onSuccess: () => {
      if (to === location.pathname + location.search) location.reload()
      else location.assign(to)
    },
  })
  return (
    <div className="page" style={{ maxWidth: '34rem' }}>
      <PageHead title={t('access.signIn')}>
        <p className="muted">{t('access.signInText')}</p>
      </PageHead>
      {session.methods.includes('oidc') && (
        <Card padded label={t('access.withProvider')}>
          <a className="btn primary" href={provider}>
            <LogIn size={16} aria-hidden />
            {t('access.withProvider')}
          </a>
        </Card>
      )}
      <Card padded title={t('access.withKey')}>
        <form
          className="stack"
          onSubmit={(e) => {
            e.preventDefault()
            enter.mutate()
          }}
        >
          {enter.error && <Problem error={enter.error} />}
          <div className="field">
            <label htmlFor="api-key">{t('access.key')}</label>
            <input
              id="api-key"
              type="password"
              className="mono"
              autoComplete="current-password"
              spellCheck={false}
              required
              maxLength={200}
              value={key}
              onChange={(e) => setKey(e.target.value)}
            />
          </div>
          <div>
            <button type="submit" className="btn primary" disabled={enter.isPending || key.trim() === ''}>
              <KeyRound size={16} aria-hidden />
              {t('access.enter')}
            </button>
          </div>
          <p className="muted small">{t('access.noKey')}</p>
          <Command>explorer keys create me --scope operate</Command>
        </form>
      </Card>
    </div>
  )
}
