import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Command, defaultFilter } from 'cmdk'
import { Search } from 'lucide-react'
import { Dialog } from 'radix-ui'
import { type ReactNode, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import {
  assetsQuery,
  jobsQuery,
  politiciansFoundQuery,
  recentRunsQuery,
  runQuery,
  schedulesQuery,
  searchQuery,
  sensorsQuery,
} from '../app/queries'
import { operatorPages, readerPages } from '../app/navigation'
import { useRole } from '../app/session'
import { billParams, inLanguage } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { shortId } from '../lib/format'

/** How many results of a kind are shown. */
const most = 6

interface Found {
  key: string
  title: string
  note?: string
  go: () => void
}

/** The names that match a text, best first. Underscores count as spaces. */
function matching<T>(items: readonly T[] | undefined, text: string, nameOf: (item: T) => string): T[] {
  const plain = (s: string) => s.replaceAll('_', ' ').toLowerCase()
  return (items ?? [])
    .map((item) => ({ item, score: defaultFilter(plain(nameOf(item)), plain(text)) }))
    .filter(({ score }) => score > 0.01)
    .sort((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ item }) => item)
}

const isId = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** The search over pages, bills, people, assets, jobs, schedules, sensors and runs. */
export function Finder({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const [asked, setAsked] = useState('')
  const [text, setText] = useDraft(asked, setAsked, 150)
  const found = useFound(asked.trim())
  // Results that arrive later do not change what was chosen.
  const [chosen, setChosen] = useState('')
  const keys = found.groups.flatMap(([, items]) => items.map((i) => i.key))
  const selected = keys.includes(chosen) ? chosen : (keys[0] ?? '')
  const [before] = useState(() => document.activeElement)
  // After a page was chosen, it gets the focus, and not what had it before.
  const left = useRef(false)
  const leave = () => {
    left.current = true
    onClose()
  }
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          className="dialog finder"
          aria-describedby={undefined}
          onCloseAutoFocus={(e) => {
            e.preventDefault()
            if (!left.current && before instanceof HTMLElement) before.focus()
          }}
        >
          <Dialog.Title className="sr-only">{t('finder.title')}</Dialog.Title>
          <Command shouldFilter={false} loop label={t('finder.title')} value={selected} onValueChange={setChosen}>
            <div className="finder-input">
              <Search size={18} aria-hidden />
              <Command.Input
                value={text}
                onValueChange={setText}
                maxLength={200}
                placeholder={t('finder.placeholder')}
              />
              <Dialog.Close className="btn small">{t('app.close')}</Dialog.Close>
            </div>
            <Command.List label={t('finder.results')}>
              <Results found={found} text={asked.trim()} onLeave={leave} />
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

interface AllFound {
  /** The results by their headings. */
  groups: [string, Found[]][]
  searching: boolean
}

function useFound(text: string): AllFound {
  const { t } = useTranslation()
  const pages = usePages(text)
  const { bills, people, searching } = useReaderResults(text)
  const operations = useOperations(text)
  return {
    groups: [[t('finder.pages'), pages], [t('nav.bills'), bills], [t('nav.politicians'), people], ...operations],
    searching,
  }
}

function Results({ found, text, onLeave }: { found: AllFound; text: string; onLeave: () => void }) {
  const { t } = useTranslation()
  const group = (heading: string, items: Found[]): ReactNode =>
    items.length > 0 && (
      <Command.Group key={heading} heading={heading}>
        {items.map(({ key, title, note, go }) => (
          <Command.Item
            key={key}
            value={key}
            onSelect={() => {
              onLeave()
              go()
            }}
          >
            <span className="break">{title}</span>
            {note && <span className="muted small">{note}</span>}
          </Command.Item>
        ))}
      </Command.Group>
    )
  const none = found.groups.every(([, items]) => items.length === 0)
  return (
    <>
      {found.groups.map(([heading, items]) => group(heading, items))}
      {none && (
        <p className="finder-none muted" role="status">
          {found.searching ? t('app.loading') : t('finder.nothing', { text })}
        </p>
      )}
    </>
  )
}

function usePages(text: string): Found[] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const role = useRole()
  const pages = [...readerPages, ...(role === 'observer' || role === 'operator' ? operatorPages : [])]
  const named = pages.map(([to, name]) => ({ to, title: t(`nav.${name}`) }))
  const found = text ? matching(named, text, (p) => p.title) : named
  return found.map(({ to, title }) => ({
    key: `page ${to}`,
    title,
    go: () => void navigate({ to: to === '/' ? '/overview' : to }),
  }))
}

function useReaderResults(text: string): { bills: Found[]; people: Found[]; searching: boolean } {
  const { i18n } = useTranslation()
  const navigate = useNavigate()
  const bills = useQuery(searchQuery({ q: text, limit: most, offset: 0 }))
  const people = useQuery({ ...politiciansFoundQuery(text, most), enabled: text.length > 1 })
  if (!text) return { bills: [], people: [], searching: false }
  return {
    bills: (bills.data?.items ?? []).map(({ bill }) => ({
      key: `bill ${bill.id}`,
      title: [bill.number, inLanguage(bill.short_title, i18n.language) ?? inLanguage(bill.title, i18n.language)]
        .filter(Boolean)
        .join(' · '),
      note: `${bill.parliament}-${bill.session}`,
      go: () => void navigate({ to: '/bills/$session/$number', params: billParams(bill.id) }),
    })),
    people: (people.data ?? []).map((p) => ({
      key: `politician ${p.slug}`,
      title: p.name,
      go: () => void navigate({ to: '/politicians/$slug', params: { slug: p.slug } }),
    })),
    searching: bills.isFetching || people.isFetching,
  }
}

/** The results of operations, by their headings. There are none for those who may read bills only. */
function useOperations(text: string): [string, Found[]][] {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const role = useRole()
  const enabled = text !== '' && (role === 'observer' || role === 'operator')
  const assets = useQuery({ ...assetsQuery, enabled })
  const jobs = useQuery({ ...jobsQuery, enabled })
  const schedules = useQuery({ ...schedulesQuery, enabled })
  const sensors = useQuery({ ...sensorsQuery, enabled })
  const runs = useQuery({ ...recentRunsQuery({}, 100), enabled })
  const byId = useQuery({ ...runQuery(text), enabled: enabled && isId.test(text), retry: false })
  if (!enabled) return []
  const named = <T extends { name: string }>(kind: string, items: T[] | undefined, go: (name: string) => void) =>
    matching(items, text, (i) => i.name).map(({ name }) => ({
      key: `${kind} ${name}`,
      title: name,
      go: () => go(name),
    }))
  const known = [...(byId.data ? [byId.data] : []), ...(runs.data?.items ?? [])]
  const ofId = known.filter((r) => text.length > 3 && r.id.includes(text.toLowerCase())).slice(0, most)
  return [
    [
      t('nav.assets'),
      named('asset', assets.data, (asset) => void navigate({ to: '/assets/$asset', params: { asset } })),
    ],
    [t('assets.jobs'), named('job', jobs.data, (job) => void navigate({ to: '/jobs/$job', params: { job } }))],
    [
      t('automation.schedules'),
      named(
        'schedule',
        schedules.data,
        (schedule) => void navigate({ to: '/automation/schedules/$schedule', params: { schedule } }),
      ),
    ],
    [
      t('automation.sensors'),
      named(
        'sensor',
        sensors.data,
        (sensor) => void navigate({ to: '/automation/sensors/$sensor', params: { sensor } }),
      ),
    ],
    [
      t('nav.runs'),
      [...new Map(ofId.map((r) => [r.id, r])).values()].map((r) => ({
        key: `run ${r.id}`,
        title: `${shortId(r.id)} · ${r.job ?? r.assets.join(', ')}`,
        note: t(`status.${r.status}`),
        go: () => void navigate({ to: '/runs/$runId', params: { runId: r.id } }),
      })),
    ],
  ]
}
