import type { SessionState } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, Navigate, Outlet, useRouter, useRouterState } from '@tanstack/react-router'
import { KeyRound, Languages, LogIn, LogOut, Menu, Monitor, Moon, Sun } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { setLanguage } from '../i18n'
import { uiBase } from '../lib/base'
import { loadPart } from '../ui/load-part'
import { useSettling } from '../lib/settling'
import { maySee, roleOf } from '../lib/role'
import { samePath } from '../lib/same-site'
import { FinderButton } from './finder-button'
import { useConnection, useLive, useOpenAlerts } from './live'
import { operatorPages, readerPages } from './navigation'
import { toast } from './toasts'
import { endSession, sessionQuery, useRole, useSession } from './session'

const Overview = loadPart(async () => (await import('../pages/overview')).Overview)
const Drawer = loadPart(async () => (await import('./drawer')).Drawer)
const SignIn = loadPart(async () => (await import('../pages/sign-in')).SignIn)

export function Shell() {
  const { t } = useTranslation()
  const asked = useQuery(sessionQuery)
  const session = asked.data
  const role = useRole()
  // Readers without a key may not follow operations.
  useLive(role ? role === 'observer' || role === 'operator' : asked.isError)
  const returnTo = useRouterState({ select: (s) => (s.location.search as { return_to?: string }).return_to })
  const main = useRef<HTMLElement>(null)
  const path = useRouterState({ select: (s) => s.location.pathname })
  const settling = useSettling(path, session !== undefined || asked.isError)
  const first = useRef(true)
  // After navigation, focus moves to the main content, so that screen readers begin there.
  useEffect(() => {
    if (first.current) first.current = false
    else main.current?.focus({ preventScroll: true })
  }, [path])
  // A page for a frame of another site has nothing around it.
  if (path.startsWith('/embed/')) return <Outlet />
  return (
    <>
      <button type="button" className="skip" onClick={() => main.current?.focus()}>
        {t('app.skip')}
      </button>
      <div className="shell">
        <header className="topbar">
          <Brand />
          <div className="row" style={{ gap: '0.25rem' }}>
            <FinderButton compact />
            <MenuButton path={path} />
          </div>
        </header>
        <aside className="side" aria-label={t('app.name')}>
          <Brand />
          <FinderButton />
          <Navigation />
          <SideFooter />
        </aside>
        <main className="main" ref={main} tabIndex={-1} data-settling={settling || undefined}>
          <ConnectionStatus banner />
          {session && signsIn(session, path) ? (
            <SignIn session={session} returnTo={returnTo} />
          ) : (
            // Before the session is known, a page would only collect refusals.
            (session ?? asked.isError) && <Outlet />
          )}
        </main>
      </div>
    </>
  )
}

/** Whether the page at a path is replaced by the sign-in. */
function signsIn(session: SessionState, path: string): boolean {
  return session.authentication === 'required' && !session.identity && !maySee(roleOf(session), path)
}

/** The first page: the overview for operators, the bills for those who only read. */
export function Landing() {
  const role = useRole()
  return role === 'observer' || role === 'reader' ? <Navigate to="/home" replace /> : <Overview />
}

/** The sign-in page for a signed-in user. It redirects to the page in return_to. */
export function SignInRedirect() {
  const session = useSession()
  const returnTo = useRouterState({ select: (s) => (s.location.search as { return_to?: string }).return_to })
  useEffect(() => {
    if (session?.identity) location.replace(samePath(returnTo, uiBase.pathname))
  }, [session, returnTo])
  return null
}

function Brand() {
  const { t } = useTranslation()
  return (
    <Link to="/" className="brand">
      <img src={new URL('icon.svg', uiBase).href} alt="" width={30} height={30} />
      {t('app.name')}
    </Link>
  )
}

function Navigation() {
  const { t } = useTranslation()
  const session = useSession()
  const role = useRole()
  if (role === 'guest') return null
  return (
    <nav className="nav" aria-label={t('app.navigation')}>
      <PageLinks name={t('nav.groupBills')} pages={readerPages} />
      {role !== 'reader' && <PageLinks name={t('nav.groupOperations')} pages={operatorPages} />}
      {session?.identity?.scope === 'admin' && (
        <Link to="/access" activeProps={{ 'aria-current': 'page' }}>
          <KeyRound size={18} aria-hidden />
          {t('nav.access')}
        </Link>
      )}
    </nav>
  )
}

type NavigationPage = (typeof readerPages | typeof operatorPages)[number]

function PageLinks({ name, pages }: { name: string; pages: readonly NavigationPage[] }) {
  const { t } = useTranslation()
  const role = useRole()
  // At the first address, those who only read find the bills.
  const addressOf = (to: NavigationPage[0]) => (to === '/' && role === 'observer' ? '/overview' : to)
  return (
    <div role="group" aria-label={name} className="nav-group">
      <span aria-hidden>{name}</span>
      {pages.map(([to, page, Icon]) => (
        <Link
          key={to}
          to={addressOf(to)}
          activeOptions={{ exact: to === '/', includeSearch: false }}
          activeProps={{ 'aria-current': 'page' }}
        >
          <Icon size={18} aria-hidden />
          {t(`nav.${page}`)}
          {page === 'alerts' && <OpenAlerts />}
        </Link>
      ))}
    </div>
  )
}

/** The number of open alerts. It is empty if there are none. */
function OpenAlerts() {
  const { t } = useTranslation()
  const count = useOpenAlerts()
  if (!count) return null
  return (
    <span className="badge bad count num">
      <span aria-hidden>{count}</span>
      <span className="sr-only">{t('alerts.openCount', { count })}</span>
    </span>
  )
}

function SideFooter() {
  const { t, i18n } = useTranslation()
  const other = i18n.language === 'fr' ? 'en' : 'fr'
  const router = useRouter()
  const role = useRole()
  return (
    <div className="side-foot">
      <SignedInUser />
      {role !== 'reader' && role !== 'guest' && <ConnectionStatus />}
      <div className="row">
        <ThemeButton />
        <button
          type="button"
          className="btn small ghost"
          lang={other}
          aria-label={t('app.languageLabel')}
          onClick={() =>
            void setLanguage(other).then(
              // The address of this page, and of all links, has the language from now on.
              () => router.navigate({ to: '.', search: true, hash: true, replace: true, resetScroll: false }),
              toast.bad,
            )
          }
        >
          <Languages size={15} aria-hidden />
          {t('app.language')}
        </button>
      </div>
    </div>
  )
}

/** The signed-in user and their scope. Who reads without a key may sign in. */
function SignedInUser() {
  const { t } = useTranslation()
  const session = useSession()
  const role = useRole()
  if (session?.authentication !== 'required' || role === 'guest') return null
  if (!session.identity) {
    return (
      <Link to="/sign-in" className="btn small">
        <LogIn size={15} aria-hidden />
        {t('access.signIn')}
      </Link>
    )
  }
  return (
    <div className="row between">
      <span className="small break">
        {session.identity.name} <span className="muted">({t(`access.scope_${session.identity.scope}`)})</span>
      </span>
      <button
        type="button"
        className="btn small ghost icon"
        aria-label={t('access.signOut')}
        title={t('access.signOut')}
        onClick={() => void endSession()}
      >
        <LogOut size={15} aria-hidden />
      </button>
    </div>
  )
}

function MenuButton({ path }: { path: string }) {
  const { t } = useTranslation()
  const button = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(path)
  if (at !== path) {
    setAt(path)
    setOpen(false)
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        className="btn ghost icon"
        aria-label={t('app.menu')}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(true)}
      >
        <Menu size={22} aria-hidden />
      </button>
      {open && (
        <Drawer
          onClose={() => {
            setOpen(false)
            button.current?.focus()
          }}
        >
          <Navigation />
          <SideFooter />
        </Drawer>
      )}
    </>
  )
}

const themes = [undefined, 'light', 'dark'] as const

function ThemeButton() {
  const { t } = useTranslation()
  const [theme, setTheme] = useState(document.documentElement.dataset.theme as (typeof themes)[number])
  const Icon = theme === 'light' ? Sun : theme === 'dark' ? Moon : Monitor
  const name = t(theme === 'light' ? 'app.themeLight' : theme === 'dark' ? 'app.themeDark' : 'app.themeSystem')
  const turn = () => {
    const next = themes[(themes.indexOf(theme) + 1) % themes.length]
    setTheme(next)
    if (next) document.documentElement.dataset.theme = next
    else delete document.documentElement.dataset.theme
    try {
      if (next) localStorage.setItem('theme', next)
      else localStorage.removeItem('theme')
    } catch {
      // Without storage, the choice applies to this page only.
    }
  }
  return (
    <button
      type="button"
      className="btn small ghost"
      aria-label={t('app.pair', { name: t('app.theme'), value: name })}
      onClick={turn}
    >
      <Icon size={15} aria-hidden />
      {name}
    </button>
  )
}

/** The state of the event stream. As a banner, it shows only while the connection is lost. */
function ConnectionStatus({ banner }: { banner?: boolean }) {
  const { t } = useTranslation()
  const connection = useConnection()
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (connection !== 'lost') return setLate(false)
    // Short interruptions are not shown.
    const timer = setTimeout(() => setLate(true), 1500)
    return () => clearTimeout(timer)
  }, [connection])
  if (banner) {
    return (
      <div role="status">
        {late && (
          <p className="notice warn" style={{ marginBottom: '1rem' }}>
            {t('app.noAnswer')}
          </p>
        )}
      </div>
    )
  }
  const [tone, words] = {
    open: ['good', t('app.live')],
    connecting: ['busy', t('app.connecting')],
    lost: ['bad', t('app.lost')],
    paused: ['', t('app.paused')],
  }[connection] as [string, string]
  return (
    <span className="live" data-connection={connection}>
      <span className={`dot ${tone}`} />
      {words}
    </span>
  )
}
