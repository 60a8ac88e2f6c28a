import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'

import { uiBase } from '../lib/base'
import { loadPart } from '../ui/load-part'
import { addressLanguage } from '../lib/address-language'
import { formatStatuses, parseStatuses } from '../lib/statuses'
import { formatQuery, parseQuery, type Query, upgradeQuery } from '../lib/query'
import { fetchStatuses, levels, periods, timelinePeriods } from './search'
import { Landing, Shell, SignInRedirect } from './shell'
import { Crashed, NotFound } from './error-pages'

/** The text of a search parameter. Of a repeated one, it is the first. */
const text = (value: unknown): string | undefined => {
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' || typeof first === 'number' || typeof first === 'boolean'
    ? String(first) || undefined
    : undefined
}
const oneOf = <T extends string>(value: unknown, allowed: readonly T[]): T | undefined =>
  allowed.find((a) => a === text(value))

/** Makes all search parameters optional, in links too. */
const optional = <T extends object>(search: T): Partial<T> => search

// Each page is a bundle of its own. While the browser is idle, the others are loaded ahead.
const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Crashed })

const overviewSearch = (s: Record<string, unknown>) =>
  optional({ period: oneOf(s.period, timelinePeriods), skipped: oneOf(s.skipped, ['hidden']) })

const landing = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: overviewSearch,
  component: Landing,
})

// Who only reads finds the overview here.
const overview = createRoute({
  getParentRoute: () => root,
  path: '/overview',
  validateSearch: overviewSearch,
  component: loadPart(async () => (await import('../pages/overview')).Overview),
})

const assets = createRoute({
  getParentRoute: () => root,
  path: '/assets',
  validateSearch: (s: Record<string, unknown>) =>
    optional({
      view: oneOf(s.view, ['list', 'graph']),
      selection: text(s.selection),
      owner: text(s.owner),
      kind: text(s.kind),
      tag: text(s.tag),
    }),
  component: loadPart(async () => (await import('../pages/assets')).Assets),
})

const asset = createRoute({
  getParentRoute: () => root,
  path: '/assets/$asset',
  validateSearch: (s: Record<string, unknown>) =>
    optional({ tab: oneOf(s.tab, ['about', 'plots', 'materializations', 'partitions', 'checks', 'runs', 'launch']) }),
  component: loadPart(async () => (await import('../pages/asset')).AssetPage),
})

const job = createRoute({
  getParentRoute: () => root,
  path: '/jobs/$job',
  component: loadPart(async () => (await import('../pages/job')).JobPage),
})

const launch = createRoute({
  getParentRoute: () => root,
  path: '/launch',
  validateSearch: (s: Record<string, unknown>) => optional({ assets: text(s.assets), run: text(s.run) }),
  component: loadPart(async () => (await import('../pages/launch')).Launch),
})

const runs = createRoute({
  getParentRoute: () => root,
  path: '/runs',
  validateSearch: (s: Record<string, unknown>) =>
    optional({
      status: formatStatuses(parseStatuses([s.status].flat().map(text).join(','))),
      job: text(s.job),
      asset: text(s.asset),
      tag: text(s.tag),
      period: oneOf(s.period, periods),
    }),
  component: loadPart(async () => (await import('../pages/runs')).Runs),
})

const run = createRoute({
  getParentRoute: () => root,
  path: '/runs/$runId',
  validateSearch: (s: Record<string, unknown>) =>
    optional({
      tab: oneOf(s.tab, ['log', 'materializations', 'config']),
      steps: oneOf(s.steps, ['graph']),
      event: /^\d{1,15}$/.test(text(s.event) ?? '') ? Number(text(s.event)) : undefined,
      level: oneOf(s.level, levels),
      step: text(s.step),
      q: text(s.q),
    }),
  component: loadPart(async () => (await import('../pages/run')).RunPage),
})

const automation = createRoute({
  getParentRoute: () => root,
  path: '/automation',
  component: loadPart(async () => (await import('../pages/automation')).Automation),
})

const schedule = createRoute({
  getParentRoute: () => root,
  path: '/automation/schedules/$schedule',
  component: loadPart(async () => (await import('../pages/schedule')).SchedulePage),
})

const sensor = createRoute({
  getParentRoute: () => root,
  path: '/automation/sensors/$sensor',
  component: loadPart(async () => (await import('../pages/sensor')).SensorPage),
})

const backfills = createRoute({
  getParentRoute: () => root,
  path: '/backfills',
  validateSearch: (s: Record<string, unknown>) => optional({ selection: text(s.selection) }),
  component: loadPart(async () => (await import('../pages/backfills')).Backfills),
})

const backfill = createRoute({
  getParentRoute: () => root,
  path: '/backfills/$backfillId',
  component: loadPart(async () => (await import('../pages/backfill')).BackfillPage),
})

const alerts = createRoute({
  getParentRoute: () => root,
  path: '/alerts',
  component: loadPart(async () => (await import('../pages/alerts')).Alerts),
})

const bills = createRoute({
  getParentRoute: () => root,
  path: '/bills',
  validateSearch: (s: Record<string, unknown>) =>
    optional({
      q: text(s.q),
      session: text(s.session),
      status: text(s.status),
      law: oneOf(s.law, ['true', 'false']),
      type: text(s.type),
      chamber: oneOf(s.chamber, ['house', 'senate']),
      year: text(s.year),
      committee: text(s.committee),
      sponsor: text(s.sponsor),
      sort: oneOf(s.sort, ['introduced', 'latest_activity', 'updated']),
    }),
  component: loadPart(async () => (await import('../pages/bills')).Bills),
})

const bill = createRoute({
  getParentRoute: () => root,
  path: '/bills/$session/$number',
  component: loadPart(async () => (await import('../pages/bill')).BillPage),
})

// A page for frames of other sites. The shell leaves out its navigation there.
const billEmbed = createRoute({
  getParentRoute: () => root,
  path: '/embed/bills/$session/$number',
  component: loadPart(async () => (await import('../pages/bill-embed')).BillEmbed),
})

const home = createRoute({
  getParentRoute: () => root,
  path: '/home',
  component: loadPart(async () => (await import('../pages/home')).Home),
})

const glossary = createRoute({
  getParentRoute: () => root,
  path: '/glossary',
  component: loadPart(async () => (await import('../pages/glossary')).Glossary),
})

const feeds = createRoute({
  getParentRoute: () => root,
  path: '/feeds',
  validateSearch: (s: Record<string, unknown>) => optional({ feed: text(s.feed), q: text(s.q) }),
  component: loadPart(async () => (await import('../pages/feeds')).FeedPage),
})

const search = createRoute({
  getParentRoute: () => root,
  path: '/search',
  validateSearch: (s: Record<string, unknown>) =>
    optional({
      q: text(s.q),
      session: text(s.session),
      status: text(s.status),
      type: text(s.type),
      chamber: oneOf(s.chamber, ['house', 'senate']),
      year: text(s.year),
      page: /^[1-9]\d?$/.test(text(s.page) ?? '') ? text(s.page) : undefined,
    }),
  component: loadPart(async () => (await import('../pages/search')).Search),
})

const politicians = createRoute({
  getParentRoute: () => root,
  path: '/politicians',
  validateSearch: (s: Record<string, unknown>) =>
    optional({ q: text(s.q), current: oneOf(s.current, ['true', 'false']) }),
  component: loadPart(async () => (await import('../pages/politicians')).Politicians),
})

const politician = createRoute({
  getParentRoute: () => root,
  path: '/politicians/$slug',
  component: loadPart(async () => (await import('../pages/politician')).PoliticianPage),
})

const data = createRoute({
  getParentRoute: () => root,
  path: '/data',
  component: loadPart(async () => (await import('../pages/data')).Data),
})

const fetchLogs = createRoute({
  getParentRoute: () => root,
  path: '/fetch-logs',
  validateSearch: (s: Record<string, unknown>) =>
    optional({ status: oneOf(s.status, fetchStatuses), source: text(s.source), run: text(s.run) }),
  component: loadPart(async () => (await import('../pages/fetch-logs')).FetchLogs),
})

const system = createRoute({
  getParentRoute: () => root,
  path: '/system',
  component: loadPart(async () => (await import('../pages/system')).System),
})

const access = createRoute({
  getParentRoute: () => root,
  path: '/access',
  validateSearch: (s: Record<string, unknown>) => optional({ actor: text(s.actor) }),
  component: loadPart(async () => (await import('../pages/access')).Access),
})

// The server redirects users without a session here. The shell shows the sign-in form, then returns to return_to.
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (s: Record<string, unknown>) => optional({ return_to: text(s.return_to) }),
  component: SignInRedirect,
})

function withoutLanguage(query: Query): Query {
  const rest = { ...query }
  delete rest.lang
  return rest
}

const query = upgradeQuery(location.search)
if (query !== location.search) history.replaceState(history.state, '', location.pathname + query + location.hash)

export const router = createRouter({
  // The language is part of every address, and of no page's search parameters.
  parseSearch: (text) => withoutLanguage(parseQuery(text)),
  stringifySearch: (search) => formatQuery({ ...search, lang: addressLanguage() }),
  routeTree: root.addChildren([
    landing,
    overview,
    assets,
    asset,
    job,
    launch,
    runs,
    run,
    automation,
    schedule,
    sensor,
    backfills,
    backfill,
    alerts,
    bills,
    bill,
    billEmbed,
    home,
    glossary,
    feeds,
    search,
    politicians,
    politician,
    data,
    fetchLogs,
    system,
    access,
    signIn,
  ]),
  basepath: uiBase.pathname,
  defaultErrorComponent: Crashed,
  defaultPreload: 'intent',
  scrollRestoration: true,
})

// The server describes the first page in the head of the HTML, which is not true of the pages after it.
router.subscribe('onBeforeNavigate', ({ fromLocation, pathChanged }) => {
  if (!fromLocation || !pathChanged) return
  const described = 'link[rel="canonical"], link[rel="alternate"], meta[property^="og:"]'
  document.head.querySelectorAll(described).forEach((part) => part.remove())
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
