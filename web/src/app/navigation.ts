import {
  Activity,
  Bell,
  Boxes,
  CalendarClock,
  FileText,
  History,
  House,
  LayoutDashboard,
  Play,
  Rss,
  ScrollText,
  Search,
  Users,
} from 'lucide-react'

/** The pages for readers. */
export const readerPages = [
  ['/home', 'home', House],
  ['/bills', 'bills', FileText],
  ['/search', 'search', Search],
  ['/politicians', 'politicians', Users],
  ['/data', 'data', Rss],
] as const

/** The pages for operators. */
export const operatorPages = [
  ['/', 'overview', LayoutDashboard],
  ['/assets', 'assets', Boxes],
  ['/runs', 'runs', Play],
  ['/automation', 'automation', CalendarClock],
  ['/backfills', 'backfills', History],
  ['/alerts', 'alerts', Bell],
  ['/fetch-logs', 'fetchLogs', ScrollText],
  ['/system', 'system', Activity],
] as const
